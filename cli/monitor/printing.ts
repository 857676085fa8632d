/** How messages are printed, as the options say. */

import { pcapFileHeader, pcapRecord } from "../../wire/pcap.ts";
import { paintFor } from "../print/colour.ts";
import { AMPLE, BRIEF, FULL } from "./argument-text.ts";
import { compactText } from "./compact-view.ts";
import { jsonText } from "./json-view.ts";
import type { KnownNames } from "./known-names.ts";
import type { MonitorOptions } from "./monitor-options.ts";
import type { Observation } from "./observer.ts";
import { verboseText } from "./verbose-view.ts";

export interface Printing {
  /** What comes before all messages; `answers` is what the bus said about who owns which name. */
  head(answers: readonly Pick<Observation, "bytes" | "timeMicroseconds">[]): Uint8Array;
  print(observation: Observation): string | Uint8Array;
}

type Choice = Pick<MonitorOptions, "pcap" | "json" | "verbose" | "full">;

const NOTHING = new Uint8Array(0);

export function printingOf({ pcap, json, verbose, full }: Choice, names: KnownNames): Printing {
  if (pcap !== undefined) return PCAP;
  if (json !== "off") {
    return { head: () => NOTHING, print: (observation) => jsonText(observation, names, json) };
  }
  const { stdout } = process;
  const paint = paintFor(stdout);
  if (verbose) {
    const limits = full ? FULL : AMPLE;
    return {
      head: () => NOTHING,
      print: (observation) => verboseText(observation, names, limits, paint),
    };
  }
  const limits = full ? FULL : BRIEF;
  return {
    head: () => NOTHING,
    print: (observation) => {
      const width = stdout.isTTY ? stdout.columns : null;
      return compactText(observation, names, { limits, width, paint });
    },
  };
}

const PCAP: Printing = {
  head: (answers) => Buffer.concat([pcapFileHeader(), ...answers.map(record)]),
  print: record,
};

function record({ bytes, timeMicroseconds }: Pick<Observation, "bytes" | "timeMicroseconds">) {
  return pcapRecord(bytes, timeMicroseconds);
}
