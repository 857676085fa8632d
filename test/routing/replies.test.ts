/** The table of expected replies against a plain list. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type PendingReply, ReplyTable } from "../../routing/replies.ts";

/** The table, and the list that says what must be in it, oldest first. */
class Model {
  readonly table = new ReplyTable();
  #list: PendingReply[] = [];

  expect(caller: number, serial: number, callee: number): void {
    const isNew = !this.#list.some(same({ caller, serial, callee }));
    expect(this.table.expect(caller, serial, callee)).toBe(isNew);
    if (isNew) this.#list.push({ caller, callee, serial });
  }

  take(caller: number, serial: number, callee: number): void {
    const at = this.#list.findIndex(same({ caller, serial, callee }));
    expect(this.table.take(caller, serial, callee)).toBe(at >= 0);
    if (at >= 0) this.#list.splice(at, 1);
  }

  forgetCaller(caller: number): void {
    this.table.forgetCaller(caller);
    this.#list = this.#list.filter((each) => each.caller !== caller);
  }

  takeCallee(callee: number): void {
    const waiting = this.#list.filter((each) => each.callee === callee);
    expect(this.table.takeCallee(callee)).toEqual(waiting.reverse());
    this.#list = this.#list.filter((each) => each.callee !== callee);
  }

  check(endpoints: Iterable<number>): void {
    expect(this.table.size).toBe(this.#list.length);
    for (const caller of endpoints) {
      const waiting = this.#list.filter((each) => each.caller === caller);
      expect(this.table.countOf(caller)).toBe(waiting.length);
      expect([...this.table.pendingOf(caller)]).toEqual(waiting);
    }
  }
}

function same(slot: PendingReply): (other: PendingReply) => boolean {
  return ({ caller, callee, serial }) =>
    caller === slot.caller && callee === slot.callee && serial === slot.serial;
}

const endpoint = fc.oneof(fc.nat(5), fc.constantFrom(63, 64, 65, 300, 5000));
const serial = fc.oneof(
  fc.integer({ min: 1, max: 6 }),
  fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff),
);
const operation = fc.tuple(
  fc.constantFrom("expect", "expect", "expect", "take", "forgetCaller", "takeCallee"),
  endpoint,
  serial,
  endpoint,
);

test("a call is waited for until it is answered, or the caller or the callee is gone", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const model = new Model();
      const endpoints = new Set<number>();
      for (const [kind, caller, number, callee] of operations) {
        endpoints.add(caller).add(callee);
        if (kind === "expect") model.expect(caller, number, callee);
        else if (kind === "take") model.take(caller, number, callee);
        else if (kind === "forgetCaller") model.forgetCaller(caller);
        else model.takeCallee(callee);
      }
      model.check(endpoints);
    }),
    { numRuns: 300 },
  );
});

test("thousands of calls are waited for at once, and freed slots are used again", () => {
  const model = new Model();
  for (let n = 0; n < 3000; n++) model.expect(n % 70, n + 1, (n * 7) % 90);
  for (let n = 0; n < 3000; n += 2) model.take(n % 70, n + 1, (n * 7) % 90);
  for (let n = 0; n < 2000; n++) model.expect(n % 80, 10_000 + n, n % 3);
  model.check(Array.from({ length: 90 }, (_, n) => n));
  for (let n = 0; n < 90; n += 3) {
    model.takeCallee(n);
    model.forgetCaller(n + 1);
  }
  model.check(Array.from({ length: 90 }, (_, n) => n));
});

test("endpoints that the table has never heard of wait for nothing", () => {
  const table = new ReplyTable();
  table.forgetCaller(100_000);
  expect(table.takeCallee(100_000)).toEqual([]);
  expect([...table.pendingOf(100_000)]).toEqual([]);
  expect(table.countOf(100_000)).toBe(0);
  expect(table.take(100_000, 1, 100_000)).toBe(false);
});
