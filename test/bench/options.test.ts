/** The command line of the bench. */

import { resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { MODES } from "../../bench/modes.ts";
import { type BenchOptions, parseOptions } from "../../bench/options.ts";

function optionsOf(...args: string[]): BenchOptions {
  const parsed = parseOptions(args);
  if (parsed.kind !== "options") throw new Error(`not understood: ${JSON.stringify(parsed)}`);
  return parsed.options;
}

test("without arguments all modes are measured on all buses but the relay", () => {
  const options = optionsOf();
  expect(options.modes).toEqual(MODES);
  expect(options.buses).toEqual(["dbus-daemon", "dbus-broker", "onehop"]);
  expect(options).toMatchObject({ action: "speed", reference: null, rounds: 7, isJson: false });
});

test("the first part of a mode's name selects all modes that go on with a hyphen", () => {
  const names = optionsOf("--modes", "payload,fanout-1").modes.map((mode) => mode.name);
  expect(names).toEqual(["fanout-1", "payload-4k", "payload-64k", "payload-1m"]);
});

test("buses come in the order of the table, however they were named", () => {
  expect(optionsOf("--buses", "relay,dbus-broker").buses).toEqual(["dbus-broker", "relay"]);
});

test("--startup measures more rounds, and nothing else beside", () => {
  expect(optionsOf("--startup")).toMatchObject({ action: "startup", rounds: 15 });
  expect(optionsOf("--startup", "--short").rounds).toBe(1);
  expect(parseOptions(["--startup", "--memory"])).toMatchObject({ kind: "wrong" });
  expect(parseOptions(["compare", "main", "--startup"])).toMatchObject({ kind: "wrong" });
});

test("--short shortens only what was not given", () => {
  expect(optionsOf("--short")).toMatchObject({ rounds: 1, seconds: 0.3, warmupSeconds: 0.2 });
  expect(optionsOf("--short", "--rounds", "3")).toMatchObject({ rounds: 3, seconds: 0.3 });
});

test("compare takes a reference to the other tree", () => {
  expect(optionsOf("compare", "main~3", "--rounds=2")).toMatchObject({
    reference: "main~3",
    rounds: 2,
  });
});

test("client measures clients on onehop, after a longer warm-up", () => {
  expect(optionsOf("client")).toMatchObject({
    ...{ action: "client", reference: null, buses: ["onehop"], rounds: 7, warmupSeconds: 2 },
  });
  expect(optionsOf("client", "--short", "--json")).toMatchObject({
    ...{ action: "client", rounds: 1, seconds: 0.3, warmupSeconds: 0.2, isJson: true },
  });
});

test("--memory measures memory", () => {
  expect(optionsOf("--memory").action).toBe("memory");
});

test("--scale takes three rounds, and may write a plot", () => {
  expect(optionsOf("--scale", "--plot", "a.svg")).toMatchObject({
    ...{ action: "scale", rounds: 3, plot: "a.svg", isShort: false },
  });
  expect(optionsOf("--scale", "--short")).toMatchObject({ rounds: 1, plot: null, isShort: true });
});

test("--policies measures the files of a folder where one is given", () => {
  expect(optionsOf("--policies")).toMatchObject({ hasPolicies: true, policyFiles: null });
  const { policyFiles } = optionsOf("--policies", "--policy-files", "some/folder");
  expect(policyFiles).toBe(resolve("some/folder"));
  expect(parseOptions(["--policy-files", "folder"])).toMatchObject({ kind: "wrong" });
});

test("--flames takes its time, and nothing that compares", () => {
  expect(optionsOf("--flames", "docs/flames", "--modes", "connect")).toMatchObject({
    ...{ action: "speed", flames: "docs/flames", seconds: 5, warmupSeconds: 3 },
  });
  expect(optionsOf("--flames", "f", "--short")).toMatchObject({ seconds: 0.3, warmupSeconds: 0.2 });
  expect(optionsOf().flames).toBeNull();
});

test("help is no error", () => {
  expect(parseOptions(["--help"])).toEqual({ kind: "help" });
});

test.each([
  [["--modes", "pong"], "there is no mode 'pong'"],
  [["--modes", "fan"], "there is no mode 'fan'"],
  [["--buses", "dbus"], "there is no bus 'dbus'"],
  [["--rounds", "0"], "'0' is not a number of at least 1"],
  [["--rounds", "1.5"], "'1.5' is not whole"],
  [["--seconds", ""], "'' is not a number"],
  [["--seconds", "Infinity"], "'Infinity' is not a number"],
  [["--bus-cpu", "-1"], "--bus-cpu"],
  [["compare"], "compare needs a commit"],
  [["compare", "a", "b"], "'b' is one argument too many"],
  [["compare", "a", "--memory"], "do not go together"],
  [["compare", "a", "--buses", "onehop"], "leave --buses out"],
  [["--scale", "--memory"], "--memory and --scale do not go together"],
  [["--plot", "a.svg"], "--plot goes with --scale only"],
  [["--flames", ""], "--flames needs a folder"],
  [["--flames"], "--flames"],
  [["--flames", "f", "--memory"], "--flames goes with"],
  [["--flames", "f", "--policies"], "--flames goes with"],
  [["--flames", "f", "--buses", "relay"], "--flames goes with"],
  [["--flames", "f", "--rounds", "2"], "--flames goes with"],
  [["--flames", "f", "--json"], "--flames goes with"],
  [["compare", "a", "--flames", "f"], "--flames goes with"],
  [["client", "again"], "'again' is one argument too many"],
  [["client", "--modes", "connect"], "leave --modes out"],
  [["client", "--buses", "onehop"], "leave --buses out"],
  [["client", "--memory"], "leave --memory out"],
  [["client", "--flames", "f"], "leave --flames out"],
  [["faster"], "'faster' is not a command"],
  [["--fast"], "--fast"],
])("%j is refused with a reason", (args, reason) => {
  const parsed = parseOptions(args);
  expect(parsed.kind).toBe("wrong");
  expect(parsed.kind === "wrong" && parsed.message).toContain(reason);
});
