/** What a program that is started gets instead of what the bus has, and that the bus keeps its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { afterEach, expect, test } from "@jest/globals";
import { ServiceConditions } from "../../../bus/activation/service-conditions.ts";
import { type OpenFilesLimit, openFilesOfProcess } from "../../../bus/open-files.ts";

let children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
  children = [];
});

function start(): ChildProcess {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  children.push(child);
  return child;
}

function limitOf(processId: number | "self" | undefined): OpenFilesLimit {
  const limit = processId === undefined ? null : openFilesOfProcess(processId);
  if (limit === null) throw new Error("there is no limit to read");
  return limit;
}

test("the program has the limit from its first moment, the bus has its own again", () => {
  const own = limitOf("self");
  const conditions = new ServiceConditions({ soft: 500, hard: own.hard });
  let during: OpenFilesLimit | null = null;
  const child = conditions.around(() => {
    during = limitOf("self");
    return start();
  });
  expect(during).toEqual({ soft: 500, hard: own.hard });
  expect(limitOf(child.pid)).toEqual({ soft: 500, hard: own.hard });
  expect(limitOf("self")).toEqual(own);
});

test("with more descriptors open than that, the program has it right after", () => {
  const own = limitOf("self");
  const conditions = new ServiceConditions({ soft: 10, hard: own.hard });
  let during: OpenFilesLimit | null = null;
  const child = conditions.around(() => {
    during = limitOf("self");
    return start();
  });
  expect(during).toEqual(own);
  expect(limitOf(child.pid)).toEqual({ soft: 10, hard: own.hard });
  expect(limitOf("self")).toEqual(own);
});

test("so it is with a lower hard limit, which the bus could not raise again", () => {
  const own = limitOf("self");
  const child = new ServiceConditions({ soft: 500, hard: 600 }).around(start);
  expect(limitOf(child.pid)).toEqual({ soft: 500, hard: 600 });
  expect(limitOf("self")).toEqual(own);
});

test("a start that fails leaves the bus as it was", () => {
  const own = limitOf("self");
  const conditions = new ServiceConditions({ soft: 500, hard: own.hard });
  const fail = (): ChildProcess => {
    throw new Error("no");
  };
  expect(() => conditions.around(fail)).toThrow("no");
  expect(limitOf("self")).toEqual(own);
});

test("without a limit for services they have the one of the bus", () => {
  const child = new ServiceConditions(null).around(start);
  expect(limitOf(child.pid)).toEqual(limitOf("self"));
});
