/** Starts the programs of services, one after the other, and tells how they ended. */

import { type ChildProcess, spawn } from "node:child_process";
import fastq from "fastq";
import type { OpenFilesLimit } from "../open-files.ts";
import { ServiceConditions } from "./service-conditions.ts";
import { ServiceOutput } from "./service-output.ts";
import { ServicePipe } from "./service-pipes.ts";

/**
 * Starting a program holds the whole process up for some milliseconds: everything else is served between
 * two of them, however many are asked for at once.
 */
const LAUNCHES_AT_A_TIME = 1;
/** How long what a dead service has printed may take to get here, if others still hold its output. */
const LAST_WORDS_MS = 100;

export interface Launch {
  /** The program and its arguments. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** How a program ended; `errorCode` is the system's, of one that could not be started at all. */
export type LaunchEnd = { readonly lastLines: readonly string[] } & (
  | { readonly errorCode: string }
  | { readonly exitCode: number }
  | { readonly signal: NodeJS.Signals }
);

/** A program that is being started, or was. */
export class LaunchedService {
  readonly launch: Launch;
  readonly #conditions: ServiceConditions;
  readonly #ended: (end: LaunchEnd) => void;
  #child: ChildProcess | null = null;
  #output: ServiceOutput | null = null;
  #isWanted = true;
  #isCancelled = false;

  /** `ended` is called at most once, and not after `release`. */
  constructor(launch: Launch, conditions: ServiceConditions, ended: (end: LaunchEnd) => void) {
    this.launch = launch;
    this.#conditions = conditions;
    this.#ended = ended;
  }

  get processId(): number | null {
    return this.#child?.pid ?? null;
  }

  /**
   * It goes on by itself: nobody waits for it any more, and it keeps nobody from ending. One whose turn has not come
   * is started all the same.
   */
  release(): void {
    this.#isWanted = false;
    this.#output?.release();
    this.#child?.unref();
  }

  /** One that has become another user may be out of our reach: it is then left alone, as by dbus-daemon. */
  kill(): void {
    this.#isCancelled = true;
    // First: that it cannot be killed is no way in which it ended.
    this.release();
    this.#child?.kill("SIGKILL");
  }

  start(): void {
    if (this.#isCancelled) return;
    const [program = "", ...words] = this.launch.words;
    if (program === "") {
      this.#end({ errorCode: "ENOENT", lastLines: [] });
      return;
    }
    const [printed, complained] = [new ServicePipe(), new ServicePipe()];
    let child: ChildProcess;
    try {
      // As execve(2) has it: a program without a folder is one in the current folder.
      child = this.#conditions.around(() =>
        spawn(program.includes("/") ? program : `./${program}`, words, {
          argv0: program,
          env: this.launch.environment,
          stdio: ["ignore", printed.writingEnd, complained.writingEnd],
        }),
      );
    } catch (error) {
      for (const pipe of [printed, complained]) pipe.discard();
      this.#end({ errorCode: codeOf(error), lastLines: [] });
      return;
    }
    this.#child = child;
    child.on("error", (error) => this.#end({ errorCode: codeOf(error), lastLines: [] }));
    if (child.pid === undefined) {
      for (const pipe of [printed, complained]) pipe.discard();
      return;
    }
    const output = new ServiceOutput([
      printed.reader(child.stdout),
      complained.reader(child.stderr),
    ]);
    this.#output = output;
    if (!this.#isWanted) this.release();
    child.once("exit", (exitCode, signal) => {
      const end = (): void => {
        clearTimeout(timer);
        const { lastLines } = output;
        if (signal !== null) this.#end({ signal, lastLines });
        else this.#end({ exitCode: exitCode ?? 0, lastLines });
      };
      const timer = setTimeout(end, LAST_WORDS_MS);
      output.whenEnded(end);
    });
  }

  #end(end: LaunchEnd): void {
    if (!this.#isWanted) return;
    this.release();
    this.#ended(end);
  }
}

/** Waiting launches, in their order. */
export class Launcher {
  readonly #conditions: ServiceConditions;
  readonly #queue: fastq.queue<LaunchedService> = fastq(
    (service: LaunchedService, done: fastq.done) => {
      // After what this turn has to send.
      setImmediate(() => {
        service.start();
        done(null);
      });
    },
    LAUNCHES_AT_A_TIME,
  );

  /** `openFiles`: the limit of open files that programs get; null: that of this process. */
  constructor(openFiles: OpenFilesLimit | null) {
    this.#conditions = new ServiceConditions(openFiles);
  }

  launch(launch: Launch, ended: (end: LaunchEnd) => void): LaunchedService {
    const service = new LaunchedService(launch, this.#conditions, ended);
    this.#queue.push(service);
    return service;
  }

  /** Nothing more is launched. */
  close(): void {
    this.#queue.kill();
    this.#conditions.close();
  }
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return String(error);
  return String(error.code);
}
