/** Calls that wait, and the one timer that all of them share. */

import { expect, test } from "@jest/globals";
import { PendingCalls } from "../../client/pending-calls.ts";

const closed = { code: "ONEHOP_CLOSED", text: "the client was closed" } as const;

function timeouts(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

test("each call fails at its own deadline, in whatever order they came", async () => {
  const pending = new PendingCalls();
  const order: number[] = [];
  const wait = async (serial: number, timeoutMs: number): Promise<string | undefined> => {
    const { failure } = await pending.wait(serial, timeoutMs, null, null);
    order.push(serial);
    return failure?.text;
  };
  const texts = await Promise.all([wait(1, 60), wait(2, 1), wait(3, 30)]);
  expect(texts).toEqual([60, 1, 30].map((ms) => `no reply within ${ms} ms`));
  expect(order).toEqual([2, 3, 1]);
  expect(pending.size).toBe(0);
});

test("a deadline that passes leaves the calls alone that have more time, or all of it", async () => {
  const pending = new PendingCalls();
  const patient = pending.wait(1, Number.POSITIVE_INFINITY, null, null);
  const slow = pending.wait(2, 60_000, null, null);
  await pending.wait(3, 1, null, null);
  expect([pending.has(1), pending.has(2), pending.has(3)]).toEqual([true, true, false]);
  pending.failAll(closed);
  expect(await Promise.all([patient, slow])).toEqual([
    { reply: null, failure: closed },
    { reply: null, failure: closed },
  ]);
});

test("the program may end when no call waits, and not before", async () => {
  const before = timeouts();
  const pending = new PendingCalls();
  const abort = new AbortController();
  const first = pending.wait(1, 60_000, abort.signal, null);
  expect(timeouts()).toBe(before + 1);
  abort.abort();
  await first;
  expect(timeouts()).toBe(before);
  const second = pending.wait(2, 90_000, null, null);
  expect(timeouts()).toBe(before + 1);
  pending.failAll(closed);
  await second;
  expect(timeouts()).toBe(before);
});
