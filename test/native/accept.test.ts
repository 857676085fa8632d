/** Listeners: who connects, when there is no room, and when there are no descriptors left. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { CloseReason, Counter, RecordKind } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, addonFile, opened, program, Rig, text } from "./rig.ts";

const { EEXIST, EMFILE, ENOENT, ENOSPC } = constants.errno;

let folder = "";
let path = "";
let before: ReadonlySet<string>;
let rig: Rig;
let closeLater: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-accept-"));
  path = join(folder, "bus");
  before = openDescriptors();
  rig = new Rig({ maxSlots: 4 });
  expect(rig.poller.addListener(opened(addon.listenUnix(path, false, 100)), 7)).toBe(0);
});

afterEach(() => {
  rig.poller.stop();
  for (const fd of closeLater) addon.closeDescriptor(fd);
  closeLater = [];
  expect(openedSince(before)).toEqual([]);
  rmSync(folder, { recursive: true });
});

function connect(): number {
  const fd = opened(addon.connectUnix(path, false));
  closeLater.push(fd);
  return fd;
}

test("a connection arrives with its listener and its credentials", async () => {
  const peer = connect();
  await rig.until(() => rig.seen.length === 1);
  const words = rig.seen[0]?.words ?? [];
  expect(words.slice(1, 6)).toEqual([
    RecordKind.Accepted,
    7,
    process.pid,
    process.getuid?.(),
    process.getgid?.(),
  ]);
  const slot = words[0] ?? -1;
  addon.send(peer, Buffer.from("hello"), []);
  await rig.until(() => rig.seen.length === 2);
  expect(text(rig.input(slot))).toBe("hello");
});

test("without a free slot the listener stops until it is told to go on", async () => {
  for (let i = 0; i < 5; i++) connect();
  await rig.until(() => rig.seen.length === 5);
  expect(rig.seen.map((seen) => seen.kind)).toEqual([1, 1, 1, 1, 3]);
  expect([rig.seen[4]?.words[2], rig.seen[4]?.words[6]]).toEqual([7, ENOSPC]);
  const turns = rig.poller.counters()[Counter.Turns];
  await new Promise((done) => setImmediate(done));
  expect(rig.poller.counters()[Counter.Turns]).toBe(turns);
  rig.poller.close(rig.seen[0]?.slot ?? -1);
  rig.flush();
  expect(rig.poller.setListening(7, true)).toBe(0);
  await rig.until(() => rig.seen.length === 6);
  expect(rig.seen[5]?.kind).toBe(RecordKind.Accepted);
  await new Promise((done) => setImmediate(done));
  expect(rig.seen).toHaveLength(6);
  expect(rig.seen[5]?.slot).toBe(rig.seen[0]?.slot);
});

test("a listener that does not listen leaves connections in the backlog", async () => {
  expect(rig.poller.setListening(7, false)).toBe(0);
  connect();
  const other = rig.connect();
  closeLater.push(other.peer);
  addon.send(other.peer, Buffer.from("x"), []);
  await rig.until(() => rig.seen.length === 1);
  expect(rig.seen[0]?.kind).toBe(RecordKind.Bytes);
  expect(rig.poller.setListening(7, true)).toBe(0);
  await rig.until(() => rig.seen.length === 2);
  expect(rig.seen[1]?.kind).toBe(RecordKind.Accepted);
});

test("a closed listener refuses, and its number is free", () => {
  expect(rig.poller.addListener(opened(addon.listenUnix(`${path}2`, false, 1)), 7)).toBe(-EEXIST);
  expect(rig.poller.closeListener(7)).toBe(0);
  expect(rig.poller.closeListener(7)).toBe(-ENOENT);
  expect(rig.poller.setListening(7, true)).toBe(-ENOENT);
  expect(addon.connectUnix(path, false)).toBe(-constants.errno.ECONNREFUSED);
  expect(rig.poller.addListener(opened(addon.listenUnix(`${path}3`, false, 1)), 7)).toBe(0);
  const file = opened(addon.memoryDescriptor(new Uint8Array(1)));
  expect(rig.poller.addListener(file, 8)).toBe(-constants.errno.EPERM);
  expect(addon.closeDescriptor(file)).toBe(-constants.errno.EBADF);
});

test("a hundred connections at once take several turns and all arrive", async () => {
  rig.poller.stop();
  rig = new Rig({ maxSlots: 200, recordCapacity: 30 });
  rig.poller.addListener(opened(addon.listenUnix(`${path}4`, false, 100)), 1);
  for (let i = 0; i < 100; i++) closeLater.push(opened(addon.connectUnix(`${path}4`, false)));
  await rig.until(() => rig.seen.length === 100);
  expect(new Set(rig.seen.map((seen) => seen.slot)).size).toBe(100);
});

test("without descriptors it tells so once, keeps calm, and goes on when asked", async () => {
  const { stdout } = await promisify(execFile)("sh", [
    "-c",
    'ulimit -n 80; exec "$@"',
    "sh",
    process.execPath,
    program("descriptor-shortage.mjs"),
    addonFile,
    `${path}5`,
  ]);
  expect(JSON.parse(stdout)).toEqual([
    ["accepted", 0],
    ["accept failed", EMFILE],
    ["idle turns", 0],
    ["closed", CloseReason.DescriptorsLost],
    ["accepted", 0],
  ]);
});
