/** What the bench reads about processors. */

import { expect, test } from "@jest/globals";
import { parseCpuList } from "../../bench/machine.ts";

test("a list of processors as the kernel writes it is spelled out", () => {
  expect(parseCpuList("0")).toEqual([0]);
  expect(parseCpuList("0-2,5,8-9")).toEqual([0, 1, 2, 5, 8, 9]);
});
