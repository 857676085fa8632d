/** The rows of `npm run bench -- client`, and what onehop's client is to reach in each. */

import { SAMPLE_SIGNATURES, type SampleSignature } from "./clients/samples.ts";

/** Calls under way at a time where they are pipelined. */
export const IN_FLIGHT = 64;

export interface ClientRow {
  readonly name: string;
  readonly title: string;
  /** What is encoded or decoded in process; null for what goes over a bus. */
  readonly codec: {
    readonly signature: SampleSignature;
    readonly direction: "encode" | "decode";
  } | null;
  /** Can tools/sdbus-client.c do it? */
  readonly hasSdBus: boolean;
  /** The most CPU time in that of the better JavaScript library, of sd-bus, and without the addon of dbus-native. */
  readonly target: number;
  readonly sdBusTarget: number | null;
  readonly withoutAddonTarget: number | null;
}

const callRows: readonly ClientRow[] = [
  {
    name: "sequential",
    title: "sequential calls, µs per call",
    codec: null,
    hasSdBus: true,
    target: 0.5,
    sdBusTarget: 1.5,
    withoutAddonTarget: 0.75,
  },
  {
    name: "pipelined",
    title: `${IN_FLIGHT} calls in flight, µs per call`,
    codec: null,
    hasSdBus: true,
    target: 0.33,
    sdBusTarget: null,
    withoutAddonTarget: 0.75,
  },
  {
    name: "signals",
    title: "received signals, µs per signal",
    codec: null,
    hasSdBus: false,
    target: 0.33,
    sdBusTarget: null,
    withoutAddonTarget: 0.75,
  },
];

const codecRows: readonly ClientRow[] = SAMPLE_SIGNATURES.flatMap((signature) =>
  (["encode", "decode"] as const).map((direction) => {
    const name = `${direction === "encode" ? "marshal" : "unmarshal"} ${signature}`;
    return {
      name,
      title: `${name}${signature === "ay" ? ", 1 MiB" : ""}, MB/s`,
      codec: { signature, direction },
      hasSdBus: false,
      target: 0.33,
      sdBusTarget: null,
      withoutAddonTarget: null,
    };
  }),
);

export const CLIENT_ROWS: readonly ClientRow[] = [...callRows, ...codecRows];

export function rowNamed(name: string): ClientRow | null {
  return CLIENT_ROWS.find((row) => row.name === name) ?? null;
}
