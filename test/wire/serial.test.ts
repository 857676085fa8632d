/** Serials. */

import { expect, test } from "@jest/globals";
import { SerialCounter } from "../../wire/serial.ts";

test("serials start at 1 and count up", () => {
  const serials = new SerialCounter();
  expect([serials.next(), serials.next(), serials.next()]).toEqual([1, 2, 3]);
});

test("behind the highest serial comes 1, never 0", () => {
  const serials = new SerialCounter(0xfffffffe);
  expect([serials.next(), serials.next(), serials.next()]).toEqual([0xffffffff, 1, 2]);
});
