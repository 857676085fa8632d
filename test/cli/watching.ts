/** Programs that watch a bus, side by side, and the traffic that they all saw. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Client } from "../../client/client.ts";
import { readCapture } from "../../wire/capture-reader.ts";
import type { CapturedMessage } from "../../wire/captured-message.ts";

const MARKER = { path: "/org/example/Marker", interface: "org.example.Marker" };

/** One program that prints what it sees. */
export class Watcher {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<unknown>;
  #waiting: (() => void)[] = [];

  constructor(name: string, program: string, words: readonly string[]) {
    this.name = name;
    // Written message by message, as onehop does.
    this.#child = spawn("stdbuf", ["-o0", program, ...words], { stdio: ["ignore", "pipe", "ignore"] });
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
    if (this.#child.exitCode !== null) throw new Error(`${this.name} ended: ${this.output}`);
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
  const member = "EndOfTraffic";
  await client.emit({ ...MARKER, member });
  await Promise.all(watchers.map((watcher) => watcher.holds(member)));
  return member;
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

/** The objects of output that has one on each line. */
export function jsonLines(output: Buffer): Record<string, unknown>[] {
  return output
    .toString()
    .split("\n")
    .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Record<string, unknown>] : []));
}

/** The messages of a capture that may end within one. */
export async function capture(output: Buffer): Promise<CapturedMessage[]> {
  const messages: CapturedMessage[] = [];
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield output;
  }
  for await (const message of readCapture(chunks())) messages.push(message);
  return messages;
}
