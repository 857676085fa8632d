/** What the service manager is told when it does not keep up. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { DaemonLog } from "../../compat/dbus-daemon/log.ts";
import { ServiceManager } from "../../compat/dbus-daemon/service-manager.ts";
import { loadAddon } from "../../native/binding.ts";
import { DatagramReceiver } from "./datagrams.ts";

let folder = "";
let receiver: DatagramReceiver;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "onehop-manager-"));
  receiver = await DatagramReceiver.bind(join(folder, "notify"));
});
afterEach(() => {
  receiver.close();
  rmSync(folder, { recursive: true });
});

test("states that find no room come later, in their order", async () => {
  const path = join(folder, "notify");
  let count = 0;
  while (loadAddon().sendDatagram(path, false, Buffer.from("X=1")) === 0) count++;
  const manager = new ServiceManager(path, new DaemonLog());
  manager.ready();
  manager.reloading();
  manager.ready();
  for (let index = 0; index < count; index++) expect((await receiver.receive()).text).toBe("X=1");
  expect((await receiver.receive()).text).toBe("READY=1");
  expect((await receiver.receive()).text).toMatch(/^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$/);
  expect((await receiver.receive()).text).toBe("READY=1");
});

test("the time of a reload is that of the kernel's monotonic clock", async () => {
  const manager = new ServiceManager(join(folder, "notify"), new DaemonLog());
  const before = process.hrtime.bigint() / 1000n;
  manager.reloading();
  const { text } = await receiver.receive();
  const told = BigInt(/MONOTONIC_USEC=(\d+)/.exec(text)?.[1] ?? "0");
  expect(told >= before && told <= process.hrtime.bigint() / 1000n).toBe(true);
});

test("without NOTIFY_SOCKET nobody is told", () => {
  new ServiceManager("", new DaemonLog()).ready();
});
