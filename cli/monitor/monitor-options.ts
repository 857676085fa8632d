/** The options of `onehop monitor`: which messages, how they are shown, and when it ends. */

import type { Argv } from "yargs";
import { parseMatchRule } from "../../matchrules/parse.ts";
import type { MatchRule } from "../../matchrules/rule.ts";
import { isBusName, isErrorName, isInterfaceName, isMemberName } from "../../wire/names.ts";
import { isObjectPath } from "../../wire/object-path.ts";
import { MessageType } from "../../wire/protocol.ts";
import { addBusOptions, type BusOptions } from "../bus-options.ts";
import { misuse } from "../command-problem.ts";
import { parseTimeSpan } from "../time-span.ts";
import type { FilterOptions } from "./filter.ts";

export interface MonitorOptions extends BusOptions {
  readonly names: readonly string[];
  readonly match: readonly string[];
  readonly sender: readonly string[];
  readonly destination: readonly string[];
  readonly path: readonly string[];
  readonly "path-namespace": readonly string[];
  readonly interface: readonly string[];
  readonly member: readonly string[];
  readonly type: readonly string[];
  readonly error: readonly string[];
  readonly verbose: boolean;
  readonly full: boolean;
  readonly pcap: string | undefined;
  readonly read: string | undefined;
  readonly "limit-messages": number | undefined;
  readonly duration: number | undefined;
}

export function addMonitorOptions(yargs: Argv): Argv<MonitorOptions> {
  const withFilters = yargs
    .positional("names", {
      describe:
        "Show messages from, to and about these, well-known or unique; default: all messages",
      type: "string",
      array: true,
      default: [],
    })
    .option("match", filter("Show what matches this match rule"))
    .option("sender", filter("Show what comes from this name"))
    .option("destination", filter("Show what goes to this name"))
    .option("path", filter("Show what is about this object"))
    .option("path-namespace", filter("Show what is about this object or one below"))
    .option("interface", filter("Show what is of this interface"))
    .option("member", filter("Show this method or signal"))
    .option("type", filter("Show only method_call, method_return, error or signal"))
    .option("error", filter("Show only errors of this name"));
  return addBusOptions(
    withFilters
      .option("verbose", {
        alias: "v",
        describe: "Print a line for each value, as busctl does",
        type: "boolean",
        default: false,
      })
      .option("full", {
        describe: "Print long strings and arrays to their end",
        type: "boolean",
        default: false,
      })
      .option("pcap", {
        describe: "Write a capture for Wireshark and Bustle to this file, - for standard output",
        type: "string",
        nargs: 1,
      })
      .option("read", {
        describe: "Show a capture file, - for standard input, instead of what passes over a bus",
        type: "string",
        nargs: 1,
      })
      .option("limit-messages", {
        alias: "N",
        describe: "End after so many messages",
        type: "number",
        nargs: 1,
      })
      .option("duration", {
        describe: "End after this time: seconds, or such as 500ms, 2min",
        type: "string",
        nargs: 1,
        coerce: (text: string | undefined) =>
          text === undefined ? undefined : parseTimeSpan(text),
      }),
  );
}

/** An option that may be repeated, and takes one word each time. */
function filter(describe: string) {
  return {
    describe,
    type: "string",
    nargs: 1,
    default: [],
    defaultDescription: "all",
    coerce: (given: string | readonly string[]): readonly string[] =>
      typeof given === "string" ? [given] : given,
    group: "Filters (may be repeated; of each kind one has to hold, and all kinds):",
  } as const;
}

/** @throws CommandProblem if options do not go together */
export function assertPossible(given: MonitorOptions): void {
  const { pcap, json, verbose, "limit-messages": limit, read, system, address } = given;
  if (read !== undefined && (system || address !== undefined)) {
    throw misuse("--read shows a file, not a bus: leave out --system and --address");
  }
  if (pcap !== undefined && (json !== "off" || verbose)) {
    throw misuse("--pcap, --json and --verbose: choose one");
  }
  if (json !== "off" && verbose) throw misuse("--json and --verbose: choose one");
  if (pcap === "-" && process.stdout.isTTY) {
    throw misuse("--pcap -: a capture is not for terminals", "write it to a file, or to a pipe");
  }
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw misuse(`--limit-messages ${limit}: expected a whole number above 0`);
  }
}

/** @throws CommandProblem that names the option and what it expects */
export function filterOptionsOf(given: MonitorOptions): FilterOptions {
  return {
    names: checked("NAME", given.names, isBusName, "org.example.Name or :1.5"),
    senders: checked("--sender", given.sender, isBusName, "org.example.Name or :1.5"),
    destinations: checked(
      "--destination",
      given.destination,
      isBusName,
      "org.example.Name or :1.5",
    ),
    paths: checked("--path", given.path, isObjectPath, "/org/example/Object"),
    pathNamespaces: checked(
      "--path-namespace",
      given["path-namespace"],
      isObjectPath,
      "/org/example",
    ),
    interfaces: checked("--interface", given.interface, isInterfaceName, "org.example.Interface"),
    members: checked("--member", given.member, isMemberName, "GetItems"),
    errors: checked("--error", given.error, isErrorName, "org.freedesktop.DBus.Error.NoReply"),
    types: given.type.map(typeOf),
    rules: given.match.map(ruleOf),
  };
}

function checked(
  option: string,
  words: readonly string[],
  isValid: (word: string) => boolean,
  example: string,
): readonly string[] {
  const wrong = words.find((word) => !isValid(word));
  if (wrong === undefined) return words;
  throw misuse(`${option} ${JSON.stringify(wrong)}: expected such as ${example}`);
}

const TYPES: ReadonlyMap<string, MessageType> = new Map([
  ["method_call", MessageType.MethodCall],
  ["method_return", MessageType.MethodReturn],
  ["error", MessageType.Error],
  ["signal", MessageType.Signal],
]);

function typeOf(word: string): MessageType {
  const type = TYPES.get(word);
  if (type !== undefined) return type;
  throw misuse(`--type ${JSON.stringify(word)}: expected one of ${[...TYPES.keys()].join(", ")}`);
}

function ruleOf(text: string): MatchRule {
  const rule = parseMatchRule(text);
  if (!("code" in rule)) return rule;
  throw misuse(
    `--match ${JSON.stringify(text)}: ${rule.text.trim()} (character ${rule.column})`,
    `for example --match "type='signal',interface='org.example.Interface'"`,
  );
}
