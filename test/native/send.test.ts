/** What is sent: messages in pieces, sockets that are full, descriptors, segments, failure. */

import { constants } from "node:os";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Counter, RecordKind } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, drain, opened, pattern, Rig, text } from "./rig.ts";

const { EBADF, EBUSY, EFAULT, EINVAL, EPIPE } = constants.errno;

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

function hangUp(peer: number): void {
  closeLater = closeLater.filter((fd) => fd !== peer);
  addon.closeDescriptor(peer);
}

function bytes(value: string): Uint8Array {
  return Buffer.from(value);
}

function counter(which: Counter): number {
  return rig.poller.counters()[which] ?? 0;
}

/** Sends messages of 10,000 bytes until some wait; the sequence numbers sent, 1 and up. */
function fill(slot: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  do {
    const message = pattern(10_000, messages.length + 1);
    messages.push(message);
    rig.stage(slot, messages.length, message);
    rig.flush();
  } while ((rig.unsentBytes[slot] ?? 0) === 0);
  return messages;
}

test("head, middle and tail make one message", () => {
  const { slot, peer } = connect();
  const segment = rig.segment(10);
  rig.segments.get(segment)?.set(bytes("0123456789"));
  rig.stage(slot, 1, bytes("head-"), bytes("middle-"), { segment, offset: 2, length: 3 });
  rig.flush();
  expect(text(drain(peer))).toBe("head-middle-234");
  expect(rig.unsentBytes[slot]).toBe(0);
  expect(rig.unsentFrom[slot]).toBe(0);
});

test("one system call for all that a destination gets in a flush, large and small", () => {
  const { slot, peer } = connect();
  const segment = rig.segment(5000);
  const large = pattern(5000);
  rig.segments.get(segment)?.set(large);
  const expected: Uint8Array[] = [];
  const sent = counter(Counter.Sendmsg);
  for (let i = 1; i <= 30; i++) {
    const small = pattern(i * 7, i);
    const arena = pattern(1500, i);
    rig.stage(slot, i, small, arena, { segment, offset: 0, length: i % 2 ? 2000 : 20 });
    expected.push(small, arena, large.subarray(0, i % 2 ? 2000 : 20));
  }
  rig.flush();
  expect(counter(Counter.Sendmsg) - sent).toBe(1);
  expect(Buffer.concat(expected).equals(drain(peer))).toBe(true);
});

test("one operation reaches many destinations, each once", () => {
  const ends = [connect(), connect(), connect()];
  rig.stage(
    ends.map(({ slot }) => slot),
    1,
    bytes("to all "),
    pattern(2000),
  );
  rig.stage((ends[1] as { slot: number }).slot, 2, bytes("to one"));
  rig.flush();
  const lengths = ends.map(({ peer }) => drain(peer).length);
  expect(lengths).toEqual([2007, 2013, 2007]);
});

test("operations staged in a turn run at its end, before promise reactions", async () => {
  const { slot, peer } = connect();
  const order: string[] = [];
  rig.onRecord = () => {
    Promise.resolve().then(() => order.push(text(drain(peer))));
    rig.stage(slot, 1, bytes("answer"));
    return undefined;
  };
  addon.send(peer, bytes("question"), []);
  await rig.until(() => rig.seen.length === 1);
  await Promise.resolve();
  expect(order).toEqual(["answer"]);
});

test("a full socket keeps order and counts exactly what is unsent", async () => {
  const { slot, peer } = connect();
  const messages = fill(slot);
  // These wait too, small and large; the arena they lay in is overwritten at once.
  for (const length of [10, 5000, 1, 200_000]) {
    const message = pattern(length, messages.length + 1);
    messages.push(message);
    rig.stage(slot, messages.length, message);
    rig.flush();
    rig.arena.fill(0xee, 1 << 20);
  }
  const all = Buffer.concat(messages);
  const received: Uint8Array[] = [];
  let receivedLength = 0;
  let steps = 0;
  for (; receivedLength < all.length; steps++) {
    const unsent = rig.unsentBytes[slot] ?? -1;
    const written = all.length - unsent;
    let oldest = 1;
    for (let end = 0; oldest <= messages.length; oldest++) {
      end += messages[oldest - 1]?.length ?? 0;
      if (end > written) break;
    }
    expect(rig.unsentFrom[slot]).toBe(unsent === 0 ? 0 : oldest);
    expect(rig.poller.unsentMessages(slot)).toBe(unsent === 0 ? 0 : messages.length + 1 - oldest);
    const chunk = drain(peer, 37_000);
    received.push(chunk);
    receivedLength += chunk.length;
    expect(receivedLength).toBeLessThanOrEqual(all.length);
    await new Promise((done) => setImmediate(done));
  }
  expect(steps).toBeGreaterThan(5);
  expect(all.equals(Buffer.concat(received))).toBe(true);
  expect(rig.unsentBytes[slot]).toBe(0);
  expect(rig.unsentFrom[slot]).toBe(0);
  expect(rig.poller.unsentMessages(slot)).toBe(0);
  expect(rig.poller.unsentMessages(99)).toBeLessThan(0);
});

test("sequence numbers are tracked beyond 32 bits", async () => {
  const { slot, peer } = connect();
  const start = 2 ** 31 - 5;
  let sequence = start;
  rig.stage(slot, sequence, bytes("x"));
  for (let i = 0; i < 4; i++) {
    sequence += 2 ** 31 - 1;
    rig.stage(slot, sequence, bytes("x"));
  }
  rig.flush();
  drain(peer);
  do {
    sequence += 3;
    rig.stage(slot, sequence, pattern(50_000));
    rig.flush();
  } while ((rig.unsentBytes[slot] ?? 0) === 0);
  expect(sequence).toBeGreaterThan(2 ** 33);
  expect(rig.unsentFrom[slot]).toBe(sequence);
});

test("descriptors come with the first byte of their message", async () => {
  const { slot, peer } = connect();
  const names = ["one", "two"];
  const sets = names.map((name) =>
    opened(rig.poller.putDescriptors([opened(addon.memoryDescriptor(bytes(name)))])),
  );
  rig.stage(slot, 1, bytes("plain."));
  rig.stage(slot, 2, bytes("first."), undefined, undefined, sets[0]);
  rig.stage(slot, 3, bytes("plain again."));
  rig.stage(slot, 4, bytes("second."), undefined, undefined, sets[1]);
  rig.flush();
  const parts: string[] = [];
  for (const length of [6, 1, 5, 12, 7]) {
    const into = new Uint8Array(length);
    const { descriptors } = addon.receive(peer, into, 9);
    const contents = descriptors.map((fd) => addon.readDescriptor(fd, 9) as Uint8Array); // a file of ours
    for (const fd of descriptors) addon.closeDescriptor(fd);
    parts.push(`${text(into)}${contents.map((content) => `[${text(content)}]`).join("")}`);
  }
  expect(parts).toEqual(["plain.", "f[one]", "irst.", "plain again.", "second.[two]"]);
  expect(counter(Counter.Sendmsg)).toBe(3);
});

test("descriptors that wait with their message arrive with it, once for each destination", async () => {
  const ends = [connect(), connect()];
  const filled = ends.map(({ slot }) => Buffer.concat(fill(slot)).length);
  const fd = opened(addon.memoryDescriptor(bytes("shared")));
  const set = opened(rig.poller.putDescriptors([fd]));
  const message = pattern(3000);
  rig.stage(
    ends.map(({ slot }) => slot),
    1000,
    message,
    undefined,
    undefined,
    set,
  );
  rig.flush();
  await new Promise((done) => setImmediate(done));
  expect(rig.poller.descriptorsOf(set)).toEqual([fd]);
  for (const [i, { peer }] of ends.entries()) {
    for (let left = filled[i] ?? 0; left > 0; ) {
      const into = new Uint8Array(left);
      const { byteLength, descriptors } = addon.receive(peer, into, 9);
      expect(descriptors).toEqual([]);
      left -= Math.max(byteLength, 0);
      await new Promise((done) => setImmediate(done));
    }
    const into = new Uint8Array(3000);
    const { byteLength, descriptors } = addon.receive(peer, into, 9);
    expect(byteLength).toBe(3000);
    expect(into).toEqual(message);
    expect(text(addon.readDescriptor(descriptors[0] ?? -1, 9) as Uint8Array)).toBe("shared"); // a file of ours
    for (const descriptor of descriptors) addon.closeDescriptor(descriptor);
  }
  expect(rig.poller.descriptorsOf(set)).toEqual([]);
});

test("a set that nobody keeps is closed without a flush", async () => {
  const { poller } = rig;
  const set = opened(poller.putDescriptors([opened(addon.memoryDescriptor(bytes("x")))]));
  expect(poller.descriptorsOf(set)).toHaveLength(1);
  rig.flush();
  expect(poller.descriptorsOf(set)).toHaveLength(1);
  await new Promise((done) => setImmediate(done));
  await new Promise((done) => setImmediate(done));
  expect(poller.descriptorsOf(set)).toEqual([]);
});

test("sets that cannot be are refused, and their descriptors closed", () => {
  const files = Array.from({ length: 254 }, () => opened(addon.memoryDescriptor(bytes("x"))));
  expect(rig.poller.putDescriptors(files)).toBe(-EINVAL);
  expect(rig.poller.putDescriptors([])).toBe(-EINVAL);
  expect(rig.poller.retainDescriptors(77)).toBe(-EBADF);
  expect(rig.poller.releaseDescriptors(0)).toBe(-EBADF);
  expect(rig.poller.descriptorsOf(-1)).toEqual([]);
});

test("a segment is reported after each use, when nobody needs it any more", async () => {
  const quick = connect();
  const slow = connect();
  const segment = rig.segment(20_000);
  rig.segments.get(segment)?.set(pattern(20_000));
  rig.stage(quick.slot, 1, { segment, offset: 0, length: 20_000 });
  rig.flush();
  await rig.until(() => rig.seen.length === 1);
  expect(rig.seen[0]?.words.slice(1, 3)).toEqual([RecordKind.SegmentReleased, segment]);
  expect(drain(quick.peer)).toHaveLength(20_000);

  const waiting = fill(slow.slot).length * 10_000;
  rig.stage([quick.slot, slow.slot], 1000, { segment, offset: 0, length: 20_000 });
  rig.flush();
  await new Promise((done) => setImmediate(done));
  expect(rig.seen).toHaveLength(1);
  expect(rig.poller.removeSegment(segment)).toBe(-EBUSY);
  let received = 0;
  while (received < waiting + 20_000) {
    received += drain(slow.peer).length;
    await new Promise((done) => setImmediate(done));
  }
  await rig.until(() => rig.seen.length === 2);
  expect(rig.seen[1]?.words.slice(1, 3)).toEqual([RecordKind.SegmentReleased, segment]);
  expect(rig.poller.removeSegment(segment)).toBe(0);
});

test("closing with output that cannot be written gives up segments and sets", async () => {
  const { slot } = connect();
  const segment = rig.segment(20_000);
  fill(slot);
  const set = opened(rig.poller.putDescriptors([opened(addon.memoryDescriptor(bytes("x")))]));
  rig.stage(slot, 1000, { segment, offset: 0, length: 20_000 }, undefined, undefined, set);
  rig.flush();
  rig.poller.close(slot);
  await rig.until(() => rig.kinds(RecordKind.SegmentReleased).length === 1);
  expect(rig.poller.descriptorsOf(set)).toEqual([]);
  expect(rig.unsentBytes[slot]).toBe(0);
  expect(rig.unsentFrom[slot]).toBe(0);
});

test("what is staged before a close is still tried", async () => {
  const { slot, peer } = connect();
  rig.stage(slot, 1, bytes("goodbye"));
  rig.poller.close(slot);
  rig.flush();
  expect(text(drain(peer))).toBe("goodbye");
  const into = new Uint8Array(1);
  expect(addon.receive(peer, into, 0).byteLength).toBe(0);
  rig.stage(slot, 2, bytes("ignored"));
  rig.stage(63, 2, bytes("ignored"));
  rig.stage([5, 1_000_000], 2, bytes("ignored"));
  rig.flush();
});

test("a close outside of a turn needs no flush", async () => {
  const { slot, peer } = connect();
  rig.poller.close(slot);
  const into = new Uint8Array(1);
  while (addon.receive(peer, into, 0).byteLength !== 0) {
    await new Promise((done) => setImmediate(done));
  }
});

test("output that fails is told once; what the peer sent before is still read", async () => {
  const { slot, peer } = connect();
  expect(addon.send(peer, bytes("last words"), [])).toBe(10);
  hangUp(peer);
  rig.stage(slot, 1, bytes("lost"));
  rig.flush();
  rig.stage(slot, 2, bytes("lost too"));
  rig.flush();
  await rig.until(() => rig.kinds(RecordKind.Closed).length === 1);
  expect(rig.kinds(RecordKind.SendFailed).map((seen) => seen.words[6])).toEqual([EPIPE]);
  expect(text(rig.input(slot))).toBe("last words");
  expect(rig.unsentBytes[slot]).toBe(0);
});

test("output that waits fails when the peer hangs up, even if input is paused", async () => {
  const { slot, peer } = connect();
  rig.poller.setReading(slot, false);
  fill(slot);
  hangUp(peer);
  await rig.until(() => rig.kinds(RecordKind.SendFailed).length === 1);
  expect(rig.unsentBytes[slot]).toBe(0);
  const turns = counter(Counter.Turns);
  const other = connect();
  addon.send(other.peer, bytes("x"), []);
  await rig.until(() => rig.input(other.slot).length === 1);
  expect(counter(Counter.Turns) - turns).toBeLessThanOrEqual(2);
});

test("an operation that points nowhere fails its destination and nobody else", async () => {
  const ends = [connect(), connect(), connect(), connect()];
  const slots = ends.map(({ slot }) => slot);
  const segment = rig.segment(10);
  rig.stage(slots[0] ?? -1, 1, { segment, offset: 5, length: 6 });
  rig.stage(slots[1] ?? -1, 1, { segment: segment + 1, offset: 0, length: 1 });
  rig.stage(slots[2] ?? -1, 1, bytes("x"), undefined, undefined, 42);
  rig.stage(slots[3] ?? -1, 1, bytes("fine"));
  rig.flush();
  await rig.until(() => rig.seen.length === 3);
  const errors = rig.kinds(RecordKind.SendFailed).map((seen) => [seen.slot, seen.words[6]]);
  expect(errors).toEqual([
    [slots[0], EFAULT],
    [slots[1], EFAULT],
    [slots[2], EBADF],
  ]);
  expect(text(drain(ends[3]?.peer ?? -1))).toBe("fine");
  expect(() => rig.poller.flush(1 << 20)).toThrow(/words of operations/);
});

test("two pollers echo thousands of messages in order", async () => {
  const { slot, peer } = connect();
  closeLater = [];
  const other = new Rig();
  const echo = opened(other.poller.addConnection(peer));
  let sequence = 0;
  other.onRecord = (seen) => {
    other.stage(echo, ++sequence, seen.bytes);
    return undefined;
  };
  const messages = Array.from({ length: 3000 }, (_, i) => pattern(1 + ((i * 37) % 900), i));
  for (const [i, message] of messages.entries()) {
    rig.stage(slot, i + 1, message);
    if (i % 100 === 99) rig.flush();
  }
  rig.flush();
  const all = Buffer.concat(messages);
  let length = 0;
  rig.onRecord = (seen) => {
    length += seen.bytes.length;
    return undefined;
  };
  await rig.until(() => length >= all.length);
  expect(all.equals(rig.input(slot))).toBe(true);
  other.poller.stop();
});
