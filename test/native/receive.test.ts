/** What arrives: records of bytes, what is kept, input straight into segments, descriptors, the end. */

import { constants } from "node:os";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { CloseReason, Counter, RecordKind } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, opened, pattern, Rig, text } from "./rig.ts";

const { EAGAIN, EBUSY, EINVAL, ENOENT } = constants.errno;

let before: ReadonlySet<string>;
let rig: Rig;
let closeLater: number[] = [];

beforeEach(() => {
  before = openDescriptors();
  rig = new Rig();
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

function send(peer: number, bytes: string | Uint8Array, descriptors: number[] = []): void {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  expect(addon.send(peer, data, descriptors)).toBe(data.length);
}

/** Closes a peer before the end of the test. */
function hangUp(peer: number): void {
  closeLater = closeLater.filter((fd) => fd !== peer);
  addon.closeDescriptor(peer);
}

test("bytes arrive as a record, aligned and with slack behind them", async () => {
  const one = connect();
  const other = connect();
  send(one.peer, "hello");
  send(other.peer, "worlds");
  await rig.until(() => rig.seen.length === 2);
  expect(text(rig.input(one.slot))).toBe("hello");
  expect(text(rig.input(other.slot))).toBe("worlds");
  for (const seen of rig.seen) expect((seen.words[3] ?? 1) % 8).toBe(0);
  const [first = 0, second = 0] = rig.seen.map((seen) => seen.words[3] ?? 0).sort((a, b) => a - b);
  expect(second - first).toBeGreaterThanOrEqual(5 + 16);
  expect(rig.seen[0]?.words[5]).toBe(rig.seen[0]?.words[4]);
});

test("what is not consumed comes first in the next record", async () => {
  const { slot, peer } = connect();
  rig.onRecord = (seen) => (seen.bytes.length < 9 ? 2 : undefined);
  send(peer, "abcdef");
  await rig.until(() => rig.seen.length === 1);
  send(peer, "gh");
  await rig.until(() => rig.seen.length === 2);
  send(peer, "ijklm");
  await rig.until(() => rig.seen.length === 3);
  expect(rig.seen.map((seen) => text(seen.bytes))).toEqual(["abcdef", "cdefgh", "efghijklm"]);
  expect(rig.seen.every((seen) => seen.slot === slot)).toBe(true);
});

test("a turn reads no more than the limit of a connection", async () => {
  rig.poller.stop();
  rig = new Rig({ readLimit: 1000 });
  const { slot, peer } = connect();
  const bytes = pattern(2500);
  send(peer, bytes);
  await rig.until(() => rig.input(slot).length === 2500);
  expect(rig.seen.map((seen) => seen.bytes.length)).toEqual([1000, 1000, 500]);
  expect(new Uint8Array(rig.input(slot))).toEqual(bytes);
});

test("with a full table of records the others wait for the next turn", async () => {
  rig.poller.stop();
  rig = new Rig({ recordCapacity: 2 });
  const ends = [connect(), connect(), connect(), connect(), connect()];
  for (const [i, { peer }] of ends.entries()) send(peer, `message ${i}`);
  await rig.until(() => rig.seen.length === 5);
  for (const [i, { slot }] of ends.entries()) expect(text(rig.input(slot))).toBe(`message ${i}`);
});

test("with a full receive area the others wait for the next turn", async () => {
  rig.poller.stop();
  rig = new Rig({ receiveLength: 70_000 });
  const ends = [connect(), connect(), connect()];
  const bytes = pattern(60_000);
  for (const { peer } of ends) send(peer, bytes);
  await rig.until(() => ends.every(({ slot }) => rig.input(slot).length === bytes.length));
  for (const { slot } of ends) expect(new Uint8Array(rig.input(slot))).toEqual(bytes);
});

test("kept bytes that leave no room in an empty receive area end the input", async () => {
  rig.poller.stop();
  rig = new Rig({ receiveLength: 4096 });
  const { peer } = connect();
  rig.onRecord = () => 0;
  send(peer, pattern(10_000));
  await rig.until(() => rig.kinds(RecordKind.Closed).length === 1);
  expect(rig.kinds(RecordKind.Closed)[0]?.words[6]).toBe(constants.errno.EMSGSIZE);
});

test("bytes sent before the end arrive before the end", async () => {
  const { slot, peer } = connect();
  send(peer, "last words");
  hangUp(peer);
  await rig.until(() => rig.kinds(RecordKind.Closed).length === 1);
  expect(text(rig.input(slot))).toBe("last words");
  expect(rig.seen.at(-1)?.words[6]).toBe(CloseReason.EndOfStream);
  // The hang-up of an ended connection must not wake the poller for ever.
  const turns = rig.poller.counters()[Counter.Turns];
  const other = connect();
  send(other.peer, "x");
  await rig.until(() => rig.input(other.slot).length === 1);
  expect((rig.poller.counters()[Counter.Turns] ?? 0) - (turns ?? 0)).toBeLessThanOrEqual(2);
});

test("a paused connection is read only after it is resumed", async () => {
  const { slot, peer } = connect();
  const other = connect();
  expect(rig.poller.setReading(slot, false)).toBe(0);
  send(peer, "later");
  send(other.peer, "now");
  await rig.until(() => rig.seen.length === 1);
  send(other.peer, "now");
  await rig.until(() => rig.seen.length === 2);
  expect(rig.input(slot).length).toBe(0);
  expect(rig.poller.setReading(slot, true)).toBe(0);
  await rig.until(() => rig.seen.length === 3);
  expect(text(rig.input(slot))).toBe("later");
});

test("bytes kept while pausing are delivered again after resuming, though none arrive", async () => {
  const { slot, peer } = connect();
  rig.onRecord = () => {
    rig.poller.setReading(slot, false);
    rig.onRecord = () => undefined;
    return 3;
  };
  send(peer, "abcdef");
  await rig.until(() => rig.seen.length === 1);
  rig.poller.setReading(slot, true);
  await rig.until(() => rig.seen.length === 2);
  expect(text(rig.seen[1]?.bytes ?? new Uint8Array())).toBe("def");
});

test("pausing and resuming within a turn delivers the kept bytes in the next", async () => {
  const { slot, peer } = connect();
  let rounds = 0;
  rig.onRecord = (seen) => {
    rig.poller.setReading(slot, false);
    rig.poller.setReading(slot, true);
    return ++rounds < 4 ? 1 : seen.bytes.length;
  };
  send(peer, "abcdef");
  await rig.until(() => rounds === 4);
  expect(rig.seen.map((seen) => text(seen.bytes))).toEqual(["abcdef", "bcdef", "cdef", "def"]);
});

test("a connection that hangs up while paused costs nothing and tells its end when resumed", async () => {
  const { slot, peer } = connect();
  const other = connect();
  rig.poller.setReading(slot, false);
  send(peer, "x");
  hangUp(peer);
  const turns = rig.poller.counters()[Counter.Turns] ?? 0;
  for (let i = 1; i <= 3; i++) {
    send(other.peer, "y");
    await rig.until(() => rig.input(other.slot).length === i);
  }
  expect((rig.poller.counters()[Counter.Turns] ?? 0) - turns).toBe(3);
  rig.poller.setReading(slot, true);
  await rig.until(() => rig.kinds(RecordKind.Closed).length === 1);
  expect(text(rig.input(slot))).toBe("x");
});

test("the rest of a large message goes straight into its segment", async () => {
  const { slot, peer } = connect();
  const bytes = pattern(150_000);
  const segment = rig.segment(200_000);
  rig.onRecord = (seen) => {
    rig.segments.get(segment)?.set(seen.bytes);
    expect(rig.poller.receiveInto(slot, segment, seen.bytes.length, bytes.length)).toBe(0);
    rig.onRecord = () => undefined;
    return undefined;
  };
  let sent = 0;
  const push = () => {
    const n = addon.send(peer, bytes.subarray(sent), []);
    if (n > 0) sent += n;
  };
  push();
  expect(sent).toBeGreaterThan(65536);
  await rig.until(() => rig.seen.length === 1);
  expect(rig.poller.removeSegment(segment)).toBe(-EBUSY);
  while (sent < bytes.length) {
    push();
    await new Promise((done) => setImmediate(done));
  }
  send(peer, "next");
  await rig.until(() => rig.seen.length === 3);
  expect(rig.seen[1]?.words.slice(0, 6)).toEqual([slot, 0, segment, 0, 150_000, 150_000]);
  expect(rig.seen[1]?.bytes).toEqual(bytes);
  expect(text(rig.seen[2]?.bytes ?? new Uint8Array())).toBe("next");
  expect(rig.poller.removeSegment(segment)).toBe(0);
  expect(rig.poller.removeSegment(segment)).toBe(-ENOENT);
});

test("what is not consumed of a segment is kept like any bytes", async () => {
  const { slot, peer } = connect();
  const segment = rig.segment(10);
  expect(rig.poller.receiveInto(slot, segment, 0, 6)).toBe(0);
  rig.onRecord = (seen) => (seen.words[2] === segment ? 4 : undefined);
  send(peer, "abcdefgh");
  await rig.until(() => rig.seen.length === 2);
  expect(rig.seen.map((seen) => text(seen.bytes))).toEqual(["abcdef", "efgh"]);
});

test("a segment is given up when its connection closes or ends", async () => {
  const one = connect();
  const other = connect();
  const segment = rig.segment(100);
  expect(rig.poller.receiveInto(one.slot, segment, 0, 100)).toBe(0);
  expect(rig.poller.receiveInto(other.slot, segment, 0, 100)).toBe(0);
  expect(rig.poller.removeSegment(segment)).toBe(-EBUSY);
  rig.poller.close(one.slot);
  send(other.peer, "partial");
  hangUp(other.peer);
  await rig.until(() => rig.kinds(RecordKind.Closed).length === 1);
  expect(rig.poller.removeSegment(segment)).toBe(0);
  expect(rig.kinds(RecordKind.SegmentReleased)).toEqual([]);
});

test("a place that is no place in a segment is refused", () => {
  const { slot } = connect();
  const segment = rig.segment(100);
  expect(rig.poller.receiveInto(slot, segment, 0, 101)).toBe(-EINVAL);
  expect(rig.poller.receiveInto(slot, segment, 50, 50)).toBe(-EINVAL);
  expect(rig.poller.receiveInto(slot, segment, -1, 50)).toBe(-EINVAL);
  expect(rig.poller.receiveInto(slot, segment + 1, 0, 50)).toBe(-EINVAL);
  expect(rig.poller.receiveInto(99, segment, 0, 50)).toBe(-ENOENT);
  expect(rig.poller.removeSegment(segment)).toBe(0);
});

test("descriptors wait, in order, until they are taken", async () => {
  const { slot, peer } = connect();
  const files = ["a", "b", "c"].map((name) => opened(addon.memoryDescriptor(Buffer.from(name))));
  send(peer, "one", files.slice(0, 2));
  send(peer, "two", files.slice(2));
  for (const fd of files) addon.closeDescriptor(fd);
  const names = (set: number) =>
    rig.poller.descriptorsOf(set).map((fd) => {
      const bytes = addon.readDescriptor(fd, 8);
      return typeof bytes === "number" ? bytes : text(bytes);
    });
  let lists: unknown[] = [];
  rig.onTurn = () => {
    if (rig.input(slot).length < 6) return;
    expect(rig.descriptorCounts[slot]).toBe(3);
    expect(rig.poller.takeDescriptors(slot, 4)).toBe(-EINVAL);
    expect(rig.poller.takeDescriptors(slot, 0)).toBe(-EINVAL);
    const first = opened(rig.poller.takeDescriptors(slot, 1));
    const second = opened(rig.poller.takeDescriptors(slot, 2));
    expect(rig.descriptorCounts[slot]).toBe(0);
    expect(rig.poller.retainDescriptors(second)).toBe(0);
    lists = [names(first), names(second), first, second];
  };
  await rig.until(() => lists.length > 0);
  expect(lists.slice(0, 2)).toEqual([["a"], ["b", "c"]]);
  await new Promise((done) => setImmediate(done));
  const [, , first, second] = lists as number[];
  expect(rig.poller.descriptorsOf(first as number)).toEqual([]);
  expect(names(second as number)).toEqual(["b", "c"]);
  expect(rig.poller.releaseDescriptors(second as number)).toBe(0);
  expect(rig.poller.descriptorsOf(second as number)).toEqual([]);
  expect(rig.poller.releaseDescriptors(second as number)).toBe(-constants.errno.EBADF);
});

test("too many waiting descriptors end the input and are closed", async () => {
  rig.poller.stop();
  rig = new Rig({ maxQueuedDescriptors: 3 });
  const { slot, peer } = connect();
  const file = opened(addon.memoryDescriptor(new Uint8Array(1)));
  closeLater.push(file);
  send(peer, "ok", [file, file]);
  await rig.until(() => rig.seen.length === 1);
  send(peer, "no", [file, file]);
  await rig.until(() => rig.seen.length === 2);
  expect(rig.seen[1]?.words[6]).toBe(CloseReason.TooManyDescriptors);
  expect(rig.descriptorCounts[slot]).toBe(2);
  rig.poller.close(slot);
  expect(rig.descriptorCounts[slot]).toBe(0);
});

test("how many descriptors may wait can be changed", async () => {
  const { slot, peer } = connect();
  const file = opened(addon.memoryDescriptor(new Uint8Array(1)));
  closeLater.push(file);
  send(peer, "ok", [file, file]);
  await rig.until(() => rig.seen.length === 1);
  expect(rig.poller.setMaxQueuedDescriptors(-1)).toBe(-constants.errno.EINVAL);
  expect(rig.poller.setMaxQueuedDescriptors(1)).toBe(0);
  expect(rig.descriptorCounts[slot]).toBe(2);
  send(peer, "no", [file]);
  await rig.until(() => rig.seen.length === 2);
  expect(rig.seen[1]?.words[6]).toBe(CloseReason.TooManyDescriptors);
});

test("a closed connection is silent, even about what has already arrived", async () => {
  const one = connect();
  const other = connect();
  send(one.peer, "never seen");
  expect(rig.poller.close(one.slot)).toBe(0);
  expect(rig.poller.close(one.slot)).toBe(-ENOENT);
  expect(rig.poller.setReading(one.slot, false)).toBe(-ENOENT);
  send(other.peer, "seen");
  await rig.until(() => rig.seen.length > 0);
  expect(rig.input(one.slot).length).toBe(0);
  rig.flush();
  expect(addon.send(one.peer, Buffer.from("x"), [])).toBe(-constants.errno.EPIPE);
});

test("a slot is used again, but not in the turn that closed it", async () => {
  const first = connect();
  const fresh: number[] = [];
  rig.onRecord = () => {
    rig.poller.close(first.slot);
    rig.flush();
    fresh.push(connect().slot);
    rig.onRecord = () => undefined;
    return 0;
  };
  send(first.peer, "kept bytes of the old connection");
  await rig.until(() => fresh.length === 1);
  await new Promise((done) => setImmediate(done));
  const next = connect();
  expect(fresh[0]).not.toBe(first.slot);
  expect(next.slot).toBe(first.slot);
  send(next.peer, "new");
  await rig.until(() => rig.seen.length === 2);
  expect(text(rig.seen[1]?.bytes ?? new Uint8Array())).toBe("new");
});

test("no slot left: the descriptor is closed and the reason given", () => {
  rig.poller.stop();
  rig = new Rig({ maxSlots: 1 });
  connect();
  const [fd = -1, peer = -1] = addon.socketPair() as [number, number]; // as in rig.pair
  closeLater.push(peer);
  expect(rig.poller.addConnection(fd)).toBe(-constants.errno.ENOSPC);
  expect(addon.closeDescriptor(fd)).toBe(-constants.errno.EBADF);
  expect(rig.poller.addConnection(99999)).toBe(-constants.errno.ENOSPC);
});

test("what is no socket is closed and refused", () => {
  const file = opened(addon.memoryDescriptor(new Uint8Array(1)));
  expect(rig.poller.addConnection(file)).toBe(-constants.errno.EPERM);
  expect(addon.closeDescriptor(file)).toBe(-constants.errno.EBADF);
  expect(addon.receive(connect().peer, new Uint8Array(1), 0).byteLength).toBe(-EAGAIN);
});
