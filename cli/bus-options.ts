/** The options of all commands that talk to a bus: which one, how long to wait, and how to print. */

import type { Argv } from "yargs";
import { type JsonMode, jsonModeOf } from "./json-mode.ts";
import { parseTimeSpan } from "./time-span.ts";

export interface BusOptions {
  /** Not of the session bus: of the system's. */
  readonly system: boolean | undefined;
  /** A D-Bus address, instead of a bus that the environment tells. */
  readonly address: string | undefined;
  /** How long to wait for a reply, in milliseconds; undefined: as long as the client library does. */
  readonly timeout: number | undefined;
  readonly json: JsonMode;
}

/** Called last, so that a command's own options come first in its help. */
export function addBusOptions<T>(yargs: Argv<T>): Argv<T & BusOptions> {
  return yargs
    .option("session", {
      alias: "user",
      describe: "Use the session bus, which is what happens anyway",
      type: "boolean",
      conflicts: ["system", "address"],
    })
    .option("system", {
      describe: "Use the system bus",
      type: "boolean",
      conflicts: "address",
    })
    .option("address", {
      describe: "Use the bus at this D-Bus address",
      type: "string",
      requiresArg: true,
    })
    .option("timeout", {
      describe: "How long to wait for a reply: seconds, or such as 500ms, 2min, infinity",
      type: "string",
      requiresArg: true,
      defaultDescription: "25",
      coerce: (text: string | undefined) => (text === undefined ? undefined : parseTimeSpan(text)),
    })
    .option("json", {
      alias: "j",
      describe: "Print JSON: =short on one line, =pretty, alone pretty on a terminal",
      type: "string",
      default: "off",
      coerce: (mode: string) => jsonModeOf(mode),
    });
}
