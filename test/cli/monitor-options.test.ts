/** What the words of `onehop monitor` mean, and what of them makes no sense. */

import { expect, test } from "@jest/globals";
import yargs from "yargs";
import { NO_FILTER } from "../../cli/monitor/filter.ts";
import {
  addMonitorOptions,
  assertPossible,
  filterOptionsOf,
} from "../../cli/monitor/monitor-options.ts";

async function read(...words: string[]) {
  const parser = yargs(words).command("$0 [names..]", "", addMonitorOptions).exitProcess(false);
  // As `addMonitorOptions` says; yargs has lost it in a command without a handler.
  return (await parser.parseAsync()) as unknown as Parameters<typeof filterOptionsOf>[0];
}

test("each kind of filter may be repeated, and leaves the next word alone", async () => {
  expect(filterOptionsOf(await read())).toEqual(NO_FILTER);
  const words = ["--path", "/a", "org.example.A", "--path", "/b", ":1.5", "--type", "error"];
  expect(filterOptionsOf(await read(...words, "--match", "member='M'"))).toMatchObject({
    names: ["org.example.A", ":1.5"],
    paths: ["/a", "/b"],
    types: [3],
    rules: [{ member: "M" }],
  });
  const given = await read("--duration", "2min", "-N", "3", "--pcap", "-");
  expect(given).toMatchObject({ duration: 120_000, "limit-messages": 3, pcap: "-" });
});

test.each([
  [["not-a-name"], 'NAME "not-a-name": expected such as org.example.Name or :1.5'],
  [["--sender", "x"], '--sender "x": expected such as org.example.Name or :1.5'],
  [["--path", "a"], '--path "a": expected such as /org/example/Object'],
  [["--path-namespace", "/a/"], '--path-namespace "/a/": expected such as /org/example'],
  [["--interface", "a"], '--interface "a": expected such as org.example.Interface'],
  [["--member", "a.b"], '--member "a.b": expected such as GetItems'],
  [["--error", "a"], '--error "a": expected such as org.freedesktop.DBus.Error.NoReply'],
  [["--type", "call"], '--type "call": expected one of method_call, method_return, error, signal'],
  [["--match", "type=x"], '--match "type=x": Invalid message type (x) in match rule (character 6)'],
  [["--pcap", "file", "--json=short"], "--pcap, --json and --verbose: choose one"],
  [["--verbose", "--json=short"], "--json and --verbose: choose one"],
  [
    ["--read", "file", "--system"],
    "--read shows a file, not a bus: leave out --system and --address",
  ],
  [["--limit-messages", "0"], "--limit-messages 0: expected a whole number above 0"],
  [["-N", "x"], "--limit-messages NaN: expected a whole number above 0"],
])("%j makes no sense", async (words, text) => {
  const given = await read(...words);
  expect(() => {
    filterOptionsOf(given);
    assertPossible(given);
  }).toThrow(text);
});
