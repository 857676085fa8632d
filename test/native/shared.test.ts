/** Messages to several connections: each gets its stream, and what waits of it is counted to the message. */

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, drain, pattern, Rig } from "./rig.ts";

const PEERS = 4;
/** The most that a message is referred to instead of copied for everybody; see Rig. */
const COPY_LIMIT = 1024;

interface Sent {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

let before: ReadonlySet<string>;

beforeEach(() => {
  before = openDescriptors();
});

afterEach(() => {
  expect(openedSince(before)).toEqual([]);
});

/** Some connections, and what each of them should get. */
class Receivers {
  readonly rig = new Rig({ copyLimit: COPY_LIMIT });
  readonly slots: number[] = [];
  readonly #peers: number[] = [];
  readonly #sent: Sent[][] = [];
  readonly #got: Uint8Array[] = [];
  #sequence = 0;

  constructor() {
    for (let i = 0; i < PEERS; i++) {
      const { slot, peer } = this.rig.connect();
      this.slots.push(slot);
      this.#peers.push(peer);
      this.#sent.push([]);
      this.#got.push(new Uint8Array(0));
    }
  }

  send(to: readonly number[], byteLength: number): void {
    this.#sequence++;
    const bytes = pattern(byteLength, this.#sequence);
    const [first = 0] = to;
    const slots = to.map((index) => this.slots[index] ?? -1);
    const cut = byteLength >> 1;
    const head = bytes.subarray(0, cut);
    const middle = bytes.subarray(cut);
    this.rig.stage(
      to.length === 1 ? (this.slots[first] ?? -1) : slots,
      this.#sequence,
      head,
      middle,
    );
    for (const index of to) this.#sent[index]?.push({ sequence: this.#sequence, bytes });
  }

  read(index: number): void {
    const fresh = drain(this.#peers[index] ?? -1);
    this.#got[index] = Buffer.concat([this.#got[index] ?? new Uint8Array(0), fresh]);
  }

  /** What the addon says waits is what was sent and did not come. */
  check(): void {
    this.slots.forEach((slot, index) => {
      const unsentBytes = this.rig.unsentBytes[slot] ?? 0;
      const sent = this.#sent[index] ?? [];
      const total = sent.reduce((sum, { bytes }) => sum + bytes.length, 0);
      let end = 0;
      const waiting = sent.filter(({ bytes }) => {
        end += bytes.length;
        return end > total - unsentBytes;
      });
      expect(this.rig.poller.unsentMessages(slot)).toBe(waiting.length);
      expect(this.rig.unsentFrom[slot]).toBe(waiting[0]?.sequence ?? 0);
    });
  }

  /** Reads until nothing waits any more; each stream is whole. */
  async finish(): Promise<void> {
    for (let index = 0; index < PEERS; index++) {
      this.read(index);
      while ((this.rig.unsentBytes[this.slots[index] ?? -1] ?? 0) > 0) {
        await new Promise<void>((done) => setImmediate(done));
        this.read(index);
      }
      this.read(index);
      const whole = Buffer.concat((this.#sent[index] ?? []).map(({ bytes }) => bytes));
      expect(whole.equals(this.#got[index] ?? new Uint8Array(0))).toBe(true);
    }
    this.rig.poller.stop();
    for (const peer of this.#peers) addon.closeDescriptor(peer);
  }
}

const lengths = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.integer({ min: 1, max: 2 * COPY_LIMIT }),
  fc.integer({ min: 1, max: 8_000 }),
);
const receivers = fc.oneof(fc.constant([0, 1, 2, 3]), fc.subarray([0, 1, 2, 3], { minLength: 1 }));
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      to: receivers,
      byteLength: lengths,
      times: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant("flush" as const) },
  { weight: 1, arbitrary: fc.record({ read: fc.nat({ max: PEERS - 1 }) }) },
);

test("each receiver gets its messages in order, and exactly what waits is counted", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const all = new Receivers();
      let staged = 0;
      for (const each of steps) {
        if (each === "flush" || staged > 1 << 21) {
          all.rig.flush();
          staged = 0;
          all.check();
        }
        if (each === "flush") continue;
        if ("read" in each) {
          all.read(each.read);
        } else {
          for (let i = 0; i < each.times; i++) all.send(each.to, each.byteLength);
          staged += each.times * each.byteLength;
        }
      }
      all.rig.flush();
      all.check();
      await all.finish();
    }),
    { numRuns: 40 },
  );
});

test.each([
  ["as much as sockets do not take at once", 250, 1000],
  ["more bytes than can be shared", 300, 1000],
  ["more messages than can be shared", 5000, 2],
])("a flush with %s", async (_what, count, byteLength) => {
  const all = new Receivers();
  for (let flush = 0; flush < 2; flush++) {
    for (let i = 0; i < count; i++) all.send([0, 1, 2], byteLength);
    all.rig.flush();
    all.check();
  }
  await all.finish();
});
