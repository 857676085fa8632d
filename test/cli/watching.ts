/** Programs that watch a bus, side by side, and the traffic that they all saw. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Client } from "../../client/client.ts";
import { readCapture } from "../../wire/capture-reader.ts";
import { type CapturedMessage, CaptureError } from "../../wire/captured-message.ts";

const MARKER = { path: "/org/example/Marker", interface: "org.example.Marker" };

/** One program that prints what it sees. */
export class Watcher {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<unknown>;
  #waiting: (() => void)[] = [];
  #errors = "";

  constructor(name: string, program: string, words: readonly string[]) {
    this.name = name;
    // Written as it comes, as onehop does.
    this.#child = spawn("stdbuf", ["-o0", program, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += String(chunk);
    });
    this.#closed = once(this.#child, "close");
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
  }

  get output(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** More output, or the end of the program, whatever comes first. */
  async more(): Promise<void> {
    await Promise.race([new Promise<void>((resolve) => this.#waiting.push(resolve)), this.#closed]);
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`${this.name} ended: ${this.#errors}`);
  }

  async holds(text: string): Promise<void> {
    while (!this.output.includes(text)) await this.more();
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGINT");
    await this.#closed;
  }
}

/** Waits until each of them watches: a marker is sent again and again until all have seen one. The last of them. */
export async function allWatching(client: Client, watchers: readonly Watcher[]): Promise<string> {
  for (let count = 1; ; count++) {
    const member = `Begin${count}x`;
    await client.emit({ ...MARKER, member });
    const seen = Promise.all(watchers.map((watcher) => watcher.holds(member))).then(() => true);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), 200);
    });
    const isSeen = await Promise.race([seen, late]);
    clearTimeout(timer);
    if (isSeen) return member;
  }
}

/** Waits until all have seen everything up to now. The marker that ends it. */
export async function allHaveSeen(client: Client, watchers: readonly Watcher[]): Promise<string> {
  await client.emit({ ...MARKER, member: "End" });
  // Whoever has begun to write this has written the end.
  await client.emit({ ...MARKER, member: "BehindTheEnd" });
  await Promise.all(watchers.map((watcher) => watcher.holds("BehindTheEnd")));
  return "End";
}

/** What lies between two markers. */
export function between<T>(
  items: readonly T[],
  memberOf: (item: T) => string | null,
  begin: string,
  end: string,
): T[] {
  const members = items.map(memberOf);
  return items.slice(members.lastIndexOf(begin) + 1, members.lastIndexOf(end));
}

/** The objects of output that has one on each line, the last of which may be cut off. */
export function jsonLines(output: Buffer | undefined): Record<string, unknown>[] {
  const lines = String(output).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>); // what monitors print
}

/** The messages of a capture that may end within one. */
export async function capture(output: Buffer | undefined): Promise<CapturedMessage[]> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (output !== undefined) yield output;
  }
  const messages: CapturedMessage[] = [];
  try {
    for await (const message of readCapture(chunks())) messages.push(message);
  } catch (error) {
    if (!(error instanceof CaptureError) || error.code !== "Truncated") throw error;
  }
  return messages;
}
