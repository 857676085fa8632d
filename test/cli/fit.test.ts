/** Tables that are no wider than the terminal. */

import { expect, test } from "@jest/globals";
import { alignedRight, fitRows } from "../../cli/print/fit.ts";

const titles = ["A", "B", "C"];

test("what fits stays as it is", () => {
  const rows = [["x".repeat(20), "y", "z"]];
  expect(fitRows(titles, rows, 26)).toEqual(rows);
  expect(fitRows(titles, rows, Number.POSITIVE_INFINITY)).toEqual(rows);
});

test("the widest cells are cut, and not below what says something", () => {
  const rows = [["x".repeat(40), "y".repeat(30), "z"]];
  const [row = []] = fitRows(titles, rows, 45);
  expect(row.map((cell) => cell.length)).toEqual([20, 20, 1]);
  expect(row[0]).toMatch(/^x+…$/);
  expect(fitRows(titles, rows, 5)[0]?.map((cell) => cell.length)).toEqual([10, 10, 1]);
});

test("one column gives way first", () => {
  const rows = [["x".repeat(40), "y".repeat(50), "z"]];
  expect(fitRows(titles, rows, 75, 1)[0]?.map((cell) => cell.length)).toEqual([40, 30, 1]);
  expect(fitRows(titles, rows, 45, 1)[0]?.map((cell) => cell.length)).toEqual([20, 20, 1]);
});

test("control characters do not reach the terminal", () => {
  expect(fitRows(["A"], [["a\u001b[2J\n"]], 80)).toEqual([["a\\u{1b}[2J\\n"]]);
});

test("numbers end below each other", () => {
  expect(alignedRight(["PID", "1", "12345"])).toEqual(["  PID", "    1", "12345"]);
});
