/** Medians and ratios of the bench. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { median, ratioOf } from "../../bench/statistics.ts";

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
  });
});

test("rounds that either bus did not finish are left out of the ratio", () => {
  expect(ratioOf([10, null, 30], [20, 20, null])).toEqual({
    median: 0.5,
    least: 0.5,
    greatest: 0.5,
  });
  expect(ratioOf([10], [0])).toBeNull();
  expect(ratioOf([], [20])).toBeNull();
});
