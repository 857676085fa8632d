/** Medians and ratios of the bench. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { intervalOfMedian, median, ratioOf } from "../../bench/statistics.ts";

test("the median is the middle value, or the mean of the two middle ones", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNull();
});

test("the median leaves its argument as it was", () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});

test("as many values lie below the median as above", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values) ?? Number.NaN;
      const below = values.filter((value) => value < middle).length;
      const above = values.filter((value) => value > middle).length;
      expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
    }),
  );
});

test("a ratio compares round with round, so that a slow round of both changes nothing", () => {
  expect(ratioOf([10, 1000, 12], [20, 2000, 20])).toEqual({
    median: 0.5,
    least: 0.5,
    greatest: 0.6,
    interval: null,
  });
});

test("rounds that either bus did not finish are left out of the ratio", () => {
  expect(ratioOf([10, null, 30], [20, 20, null])).toEqual({
    median: 0.5,
    least: 0.5,
    greatest: 0.5,
    interval: null,
  });
  expect(ratioOf([10], [0])).toBeNull();
  expect(ratioOf([], [20])).toBeNull();
});

test("the interval of a median leaves out as many values on either side as 95 % allow", () => {
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => count - i);
  expect(intervalOfMedian(upTo(5))).toBeNull();
  // The tables of the sign test: n = 6 to 8 leave out none, 9 to 11 one, 12 to 14 two, 100 thirty-nine.
  expect(intervalOfMedian(upTo(6))).toEqual({ low: 1, high: 6 });
  expect(intervalOfMedian(upTo(8))).toEqual({ low: 1, high: 8 });
  expect(intervalOfMedian(upTo(9))).toEqual({ low: 2, high: 8 });
  expect(intervalOfMedian(upTo(12))).toEqual({ low: 3, high: 10 });
  expect(intervalOfMedian(upTo(100))).toEqual({ low: 40, high: 61 });
});
