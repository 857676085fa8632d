/** The log of refusals, which nobody can flood. */

import { expect, test } from "@jest/globals";
import { LimitedLog } from "../../../bus/policy/limited-log.ts";

function limitedLog(): {
  readonly lines: string[];
  readonly clock: { ms: number };
  refuse(userId: number | null, times?: number): void;
} {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const log = new LimitedLog(
    ({ text }) => lines.push(text),
    () => clock.ms,
  );
  const refuse = (userId: number | null, times = 1): void => {
    for (let i = 0; i < times; i++) log.warn(userId, () => `refused ${userId}`);
  };
  return { lines, clock, refuse };
}

test("a few refusals are all told", () => {
  const { lines, refuse } = limitedLog();
  refuse(7, 50);
  expect(lines).toEqual(Array(50).fill("refused 7"));
});

test("when they are too many that is told once, and later how many they were", () => {
  const { lines, clock, refuse } = limitedLog();
  refuse(7, 1000);
  expect(lines.splice(0).slice(49)).toEqual([
    "refused 7",
    "too many refusals of user 7: not all are logged",
  ]);
  clock.ms += 999;
  refuse(7);
  expect(lines).toEqual([]);
  clock.ms += 1;
  refuse(7);
  expect(lines.splice(0)).toEqual(["951 more refusals of user 7 were not logged", "refused 7"]);
  refuse(7);
  expect(lines).toEqual(["too many refusals of user 7: not all are logged"]);
});

test("nobody uses up the lines of others", () => {
  const { lines, refuse } = limitedLog();
  refuse(7, 1000);
  lines.length = 0;
  refuse(8);
  refuse(null);
  expect(lines).toEqual(["refused 8", "refused null"]);
});

test("very many users share what is left, and those that keep quiet are forgotten", () => {
  const { lines, clock, refuse } = limitedLog();
  for (let userId = 0; userId < 10_000; userId++) refuse(userId);
  expect(lines).toHaveLength(255 + 50 + 2);
  clock.ms += 100_000;
  lines.length = 0;
  refuse(20_000, 50);
  expect(lines.filter((line) => line === "refused 20000")).toHaveLength(50);
});

test("a text that is not told is not even made", () => {
  const { lines, refuse } = limitedLog();
  refuse(7, 51);
  let made = 0;
  const log = new LimitedLog(
    ({ text }) => lines.push(text),
    () => 0,
  );
  for (let i = 0; i < 100; i++) log.warn(1, () => `${++made}`);
  expect(made).toBe(50);
});
