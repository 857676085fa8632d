/** Starting built programs as other programs do, for tests. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** The built form of a program, as users run it. */
export function builtProgram(path: string): string {
  const program = join(root, "dist", path);
  if (!existsSync(program)) throw new Error(`${program} is missing: run \`npm run build\` first`);
  return program;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running program. */
export interface Running {
  readonly child: ChildProcess;
  /** Everything written to descriptor 3 until that is closed by everybody who has it. */
  readonly told: Promise<string>;
  readonly ended: Promise<Ended>;
  /** Resolves once this text has been written to standard output or standard error. */
  said(text: string): Promise<void>;
}

/** Runs a built program with pipes for standard output, standard error and descriptor 3. */
export function start(
  path: string,
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): Running {
  const child = spawn(process.execPath, [builtProgram(path), ...words], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  const [, stdout, stderr, extra] = child.stdio.map((stream) => new Collected(stream));
  if (stdout === undefined || stderr === undefined || extra === undefined) {
    throw new Error("pipes were asked for");
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) =>
      resolve({ status, signal, stdout: stdout.text, stderr: stderr.text }),
    );
  });
  const said = (text: string): Promise<void> =>
    Promise.race([stdout.holds(text), stderr.holds(text)]);
  return { child, told: extra.ended, ended, said };
}

/** The text that has come out of a pipe so far. */
class Collected {
  readonly ended: Promise<string>;
  #text: string;
  #waiting: { text: string; resolve: () => void }[];

  constructor(stream: ChildProcess["stdio"][number] | undefined) {
    this.#text = "";
    this.#waiting = [];
    if (stream == null || !("setEncoding" in stream)) {
      this.ended = Promise.resolve("");
      return;
    }
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      this.#text += chunk;
      this.#waiting = this.#waiting.filter(({ text, resolve }) => {
        if (this.#text.includes(text)) resolve();
        return !this.#text.includes(text);
      });
    });
    this.ended = new Promise((resolve) => stream.once("end", () => resolve(this.#text)));
  }

  get text(): string {
    return this.#text;
  }

  holds(text: string): Promise<void> {
    if (this.#text.includes(text)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ text, resolve }));
  }
}

/** Sends one line of the handshake to the bus at a unix:path address and returns the answer. */
export function handshake(address: string, line: string): Promise<string> {
  const path = /^unix:path=([^,]*)/.exec(address)?.[1] ?? "";
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(`\0${line}\r\n`));
    socket.once("error", reject);
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString("latin1"));
    });
    socket.once("end", () => reject(new Error("closed without an answer")));
  });
}

/** Sends lines of the handshake and waits until the bus disconnects. */
export function disconnected(address: string, lines: string): Promise<void> {
  const path = /^unix:path=([^,]*)/.exec(address)?.[1] ?? "";
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(`\0${lines}\r\n`));
    socket.once("error", reject);
    socket.once("close", () => resolve());
    socket.resume();
  });
}

/** `AUTH EXTERNAL` for the user of this process. */
export const authLine: string = `AUTH EXTERNAL ${Buffer.from(String(process.getuid?.())).toString("hex")}`;
