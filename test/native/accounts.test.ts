/** What the connections of one user have together, and what the kernel lets this one have. */

import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { CloseReason, RecordKind } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, addonFile, opened, program, Rig, text } from "./rig.ts";

/** A user that nobody else is. */
const SOMEBODY = 54_321;

let before: ReadonlySet<string>;
let rig: Rig;
let closeLater: number[] = [];

beforeEach(() => {
  before = openDescriptors();
  rig = new Rig({ maxQueuedDescriptors: 300, maxDescriptors: 200 });
});

afterEach(() => {
  rig.poller.stop();
  for (const fd of closeLater) addon.closeDescriptor(fd);
  closeLater = [];
  expect(openedSince(before)).toEqual([]);
});

function connect(): { slot: number; peer: number } {
  const ends = rig.connect();
  closeLater.push(ends.peer);
  return ends;
}

function send(peer: number, count: number): void {
  const file = opened(addon.memoryDescriptor(new Uint8Array(1)));
  expect(addon.send(peer, Buffer.from("x"), new Array<number>(count).fill(file))).toBe(1);
  addon.closeDescriptor(file);
}

test("a user comes to half of the descriptors that may wait, by however many connections", async () => {
  const ends = Array.from({ length: 6 }, connect);
  for (const { peer } of ends.slice(0, 5)) send(peer, 20);
  await rig.until(() => rig.seen.length === 5);
  expect(rig.kinds(RecordKind.Bytes)).toHaveLength(5);
  const [first, , , , , last] = ends;
  if (first === undefined || last === undefined) throw new Error("there are six");
  send(last.peer, 1);
  await rig.until(() => rig.seen.length === 6);
  expect(rig.seen.at(-1)?.words).toMatchObject({ 0: last.slot, 6: CloseReason.TooManyDescriptors });
  // What is taken, and what is closed, makes room again.
  expect(rig.poller.takeDescriptors(first.slot, 20)).toBeGreaterThan(0);
  const next = connect();
  send(next.peer, 20);
  await rig.until(() => rig.seen.length === 7);
  expect(rig.seen.at(-1)?.kind).toBe(RecordKind.Bytes);
  for (const { slot } of ends.slice(1, 5)) rig.poller.close(slot);
  send(next.peer, 60);
  await rig.until(() => rig.seen.length === 8);
  expect(rig.descriptorCounts[next.slot]).toBe(80);
});

test("descriptors that come with a part of a large message are told before the rest is there", async () => {
  const { slot, peer } = connect();
  const segment = rig.segment(100);
  expect(rig.poller.receiveInto(slot, segment, 0, 3)).toBe(0);
  send(peer, 2);
  await rig.until(() => rig.seen.length === 1);
  expect(rig.seen[0]?.kind).toBe(RecordKind.Descriptors);
  expect(rig.descriptorCounts[slot]).toBe(2);
  send(peer, 0);
  send(peer, 1);
  await rig.until(() => rig.kinds(RecordKind.Bytes).length === 1);
  expect(text(rig.input(slot))).toBe("xxx");
  expect(rig.descriptorCounts[slot]).toBe(3);
});

test("messages that the kernel refuses, as too many descriptors are in flight, are told", () => {
  if (process.geteuid?.() !== 0) {
    console.log("not run: only root can start a process of another user");
    return;
  }
  const { stdout, stderr } = spawnSync(
    "sh",
    [
      "-c",
      'ulimit -n 100; exec "$@"',
      "sh",
      process.execPath,
      program("too-many-in-flight.mjs"),
      addonFile,
    ],
    { uid: SOMEBODY, gid: SOMEBODY, encoding: "utf8", cwd: "/" },
  );
  expect(stderr).toBe("");
  const { sent, dropped, got, later } = JSON.parse(stdout);
  expect(dropped).toBe(1);
  // 1 to 6 with 20 each, and the one without; the seventh was too many.
  const accepted = sent - 3;
  expect(accepted).toBeGreaterThanOrEqual(5);
  const expected = Array.from({ length: accepted }, (_, n) => [n + 1, 20]).flat();
  expect(got).toEqual([...expected, accepted + 2, 0]);
  expect(later).toBe(20);
});

test("an account outlives none of its connections", () => {
  expect(rig.poller.close(connect().slot)).toBe(0);
  rig.flush();
  expect(rig.poller.close(connect().slot)).toBe(0);
  rig.flush();
  expect(rig.poller.takeDescriptors(0, 1)).toBe(-constants.errno.ENOENT);
});
