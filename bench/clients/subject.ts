/**
 * The client under test, in a process of its own: `node subject.js LIBRARY ROW SOCKET SECONDS WARMUP` prints one line
 * of JSON with the CPU time of this process (all threads) for each operation of the row. Without an error it exits 0.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { type ClientRow, IN_FLIGHT, rowNamed } from "../client-rows.ts";
import type { ClientMeasurement } from "../clients.ts";
import { bodyBytes, openCodec } from "./codecs.ts";
import { LIBRARIES, openLibrary, type Subject } from "./libraries.ts";
import { Meter } from "./meter.ts";
import { CALL_TEXT } from "./names.ts";

/** Signals that are asked for at a time. */
const FLOOD = 500;
/** Encodings or decodings between looks at the clock. */
const BATCH = 8;

/** What is done over and over, until it is stopped. */
interface Load {
  /** Operations done so far. */
  readonly count: () => number;
  /** Rejects if the load fails. */
  readonly failed: Promise<never>;
}

const [libraryName, rowName = "", socket = "", seconds = "", warmup = ""] = process.argv.slice(2);
const library = LIBRARIES.find((name) => name === libraryName);
const row = rowNamed(rowName);
if (library === undefined || row === null) throw new Error(`no row ${rowName} of ${libraryName}`);
const result =
  row.codec === null
    ? await measureLoad(row, await openLibrary(library, `unix:path=${socket}`))
    : measureCodec(row.codec, Number(seconds), Number(warmup));
console.log(JSON.stringify(result));
process.exit(0);

async function measureLoad({ name }: ClientRow, subject: Subject): Promise<ClientMeasurement> {
  const { count, failed } = await startLoad(name, subject);
  await Promise.race([sleep(1000 * Number(warmup)), failed]);
  const meter = new Meter(count());
  await Promise.race([sleep(1000 * Number(seconds)), failed]);
  return meter.read(count(), 0);
}

async function startLoad(name: string, subject: Subject): Promise<Load> {
  if (name === "signals") return receive(subject);
  return call(subject, name === "pipelined" ? IN_FLIGHT : 1);
}

function call(subject: Subject, callerCount: number): Load {
  let done = 0;
  const caller = async (): Promise<never> => {
    for (;;) {
      const number = done & 0xffff;
      if ((await subject.call("Echo", CALL_TEXT, number)) !== number)
        throw new Error("the reply is that of another call");
      done++;
    }
  };
  return { count: () => done, failed: Promise.race(Array.from({ length: callerCount }, caller)) };
}

async function receive(subject: Subject): Promise<Load> {
  let received = 0;
  await subject.listen((text, number) => {
    if (text !== CALL_TEXT || number !== received % FLOOD)
      throw new Error("a signal is missing, or not as it was sent");
    received++;
  });
  const asker = async (): Promise<never> => {
    for (;;) await subject.call("Flood", CALL_TEXT, FLOOD);
  };
  return { count: () => received, failed: asker() };
}

function measureCodec(
  { signature, direction }: NonNullable<ClientRow["codec"]>,
  forSeconds: number,
  warmupSeconds: number,
): ClientMeasurement {
  const codec = openCodec(library ?? "onehop", signature);
  const repeat = (atLeastSeconds: number): number => {
    const end = performance.now() + 1000 * atLeastSeconds;
    let count = 0;
    do {
      for (let i = 0; i < BATCH; i++) codec[direction]();
      count += BATCH;
    } while (performance.now() < end);
    return count;
  };
  repeat(warmupSeconds);
  const meter = new Meter(0);
  return meter.read(repeat(forSeconds), bodyBytes(signature).length);
}
