/** However a stream is cut, kept and diverted into segments, its bytes come out as they went in. */

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { RecordKind } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, pattern, Rig } from "./rig.ts";

const SEGMENT_BYTES = 100_000;
/** What every stream starts with. */
const STREAM = pattern(300_000);

let before: ReadonlySet<string>;

beforeEach(() => {
  before = openDescriptors();
});

afterEach(() => {
  expect(openedSince(before)).toEqual([]);
});

/** How much is written at once, how much of a record is consumed, and when the rest goes to a segment. */
const choices = fc.record({
  chunks: fc.array(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20_000 })), {
    minLength: 1,
    maxLength: 12,
  }),
  /** For each record: the share that is consumed, and how many more bytes a segment is to take (0: none). */
  steps: fc.array(
    fc.tuple(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20_000 })),
      fc.boolean(),
    ),
    { minLength: 1, maxLength: 20 },
  ),
  readLimit: fc.constantFrom(37, 1000, 65536),
});

async function passes(
  rig: Rig,
  chunks: number[],
  steps: [number, number, boolean][],
): Promise<void> {
  const { slot, peer } = rig.connect();
  const segment = rig.segment(SEGMENT_BYTES);
  const memory = rig.segments.get(segment) as Uint8Array; // made by the line before
  const total = chunks.reduce((sum, length) => sum + length, 0);
  const stream = STREAM.subarray(0, total);
  const output: Uint8Array[] = [];
  let taken = 0;
  let records = 0;
  let isInSegment = false;

  rig.onRecord = (seen) => {
    if (seen.kind !== RecordKind.Bytes) return undefined;
    if (seen.slot !== slot) throw new Error(`a record of slot ${seen.slot}`);
    if ((seen.words[2] ?? 0) > 0 !== isInSegment) throw new Error("a record in the wrong place");
    isInSegment = false;
    const [share, more, mayPause] = steps[records++ % steps.length] ?? [1, 0, false];
    // After a while everything is taken, so that the test ends.
    const consumed = records > 40 ? seen.bytes.length : Math.floor(share * seen.bytes.length);
    output.push(seen.bytes.slice(0, consumed));
    taken += consumed;
    const rest = seen.bytes.subarray(consumed);
    const want = Math.min(rest.length + more, total - taken, SEGMENT_BYTES);
    if (more > 0 && want > rest.length && records <= 40) {
      memory.set(rest);
      expect(rig.poller.receiveInto(slot, segment, rest.length, want)).toBe(0);
      isInSegment = true;
      return undefined;
    }
    if (rest.length > 0 || mayPause) {
      // Kept bytes come again with new ones or after a pause; there may be no new ones.
      rig.poller.setReading(slot, false);
      rig.poller.setReading(slot, true);
    }
    return consumed;
  };

  let sent = 0;
  for (const length of chunks) {
    for (const end = sent + length; sent < end; ) {
      const n = addon.send(peer, stream.subarray(sent, end), []);
      if (n > 0) sent += n;
      else await new Promise((done) => setImmediate(done));
    }
    if (length % 2 === 0) await new Promise((done) => setImmediate(done));
  }
  await rig.until(() => taken === total);
  expect(Buffer.concat(output).equals(stream)).toBe(true);
  rig.poller.close(slot);
  rig.flush();
  expect(rig.poller.removeSegment(segment)).toBe(0);
  rig.seen.length = 0;
  addon.closeDescriptor(peer);
}

test("a thousand ways to cut a stream leave it whole", async () => {
  const rigs = new Map([37, 1000, 65536].map((readLimit) => [readLimit, new Rig({ readLimit })]));
  await fc.assert(
    fc.asyncProperty(choices, ({ chunks, steps, readLimit }) =>
      passes(
        rigs.get(readLimit) as Rig, // made above for every limit that is chosen
        readLimit < 100 ? chunks.map((length) => (length % 500) + 1) : chunks,
        steps,
      ),
    ),
    { numRuns: 1000 },
  );
  for (const rig of rigs.values()) rig.poller.stop();
}, 120_000);
