/** What a bus in this process makes of systemd's answers. What others see of it is in the conformance suite. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../../bus/bus.ts";
import type { LogEntry } from "../../../bus/log.ts";
import { signal } from "../../../wire/message.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../../wire/protocol.ts";
import { MemoryPeer } from "../../support/memory-peer.ts";

const NAME = "org.example.Unit";
const SYSTEMD = "org.freedesktop.systemd1";

let folder = "";
let entries: LogEntry[] = [];
let bus: Bus;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-systemd-"));
  entries = [];
  const file = `[D-BUS Service]\nName=${NAME}\nExec=/bin/false\nSystemdService=a.service\n`;
  writeFileSync(join(folder, `${NAME}.service`), file);
  bus = createBus({
    systemdActivation: true,
    activation: { directories: () => [{ path: folder }] },
    log: (entry) => entries.push(entry),
  });
});
afterEach(() => {
  bus.close();
  rmSync(folder, { recursive: true });
});

async function systemdOf(): Promise<MemoryPeer> {
  const systemd = await MemoryPeer.join(bus);
  await systemd.driver("RequestName", "su", [SYSTEMD, 0]);
  await systemd.drain();
  return systemd;
}

function failed(peer: MemoryPeer, signature: string, body: readonly unknown[]): void {
  peer.send(
    signal({
      path: DRIVER_PATH,
      interface: "org.freedesktop.systemd1.Activator",
      member: "ActivationFailure",
      destination: DRIVER_NAME,
      signature,
      body,
    }),
  );
}

test("an answer with a name that no error can have is told as Failed", async () => {
  const [systemd, caller] = [await systemdOf(), await MemoryPeer.join(bus)];
  const reply = caller.call({ path: "/", member: "M", destination: NAME });
  await systemd.drain();
  failed(systemd, "sss", ["a.service", "no error", "masked"]);
  const { errorName, body } = await reply;
  expect([errorName, ...body]).toEqual(["org.freedesktop.DBus.Error.Failed", "masked"]);
  expect(entries.map(({ text }) => text)).toContain(
    "Activation via systemd failed for unit 'a.service': masked",
  );
});

test("an answer that is none is passed over, and systemd goes on", async () => {
  const [systemd, caller] = [await systemdOf(), await MemoryPeer.join(bus)];
  caller.call({ path: "/", member: "M", destination: NAME });
  await systemd.drain();
  failed(systemd, "", []);
  failed(systemd, "s", ["a.service"]);
  failed(systemd, "ssu", ["a.service", "org.example.Failed", 1]);
  expect(await systemd.drain()).toEqual([]);
  expect(await caller.drain()).toEqual([]);
});

test("who forges an answer is told nothing, and the log is told who it was", async () => {
  const [systemd, forger] = [await systemdOf(), await MemoryPeer.join(bus)];
  failed(forger, "sss", ["a.service", "org.example.Failed", "x"]);
  expect(await forger.drain()).toEqual([]);
  expect(await systemd.drain()).toEqual([]);
  expect(entries.map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/^Ignoring forged ActivationFailure message from .*:1\.1/),
  );
});

test("a start that is over needs no systemd any more when that comes", async () => {
  const [caller, systemd] = [await MemoryPeer.join(bus), await MemoryPeer.join(bus)];
  caller.call({ path: "/", member: "M", destination: NAME });
  await caller.driver("RequestName", "su", [NAME, 0]);
  await systemd.driver("RequestName", "su", [SYSTEMD, 0]);
  const members = (await systemd.drain()).map(({ member }) => member);
  expect(members).not.toContain("ActivationRequest");
});
