/** The life of the daemon: start, tell the address, reload, stop. */

import { spawn } from "node:child_process";
import { closeSync, existsSync, writeFileSync, writeSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { resolve } from "node:path";
import { type StartedBus, startBus } from "../../bus/index.ts";
import { findUser } from "./accounts.ts";
import type { DaemonArguments } from "./arguments.ts";
import { Foreground, startInBackground } from "./background.ts";
import { busOptionsOf } from "./bus-options.ts";
import { loadConfiguration } from "./config-file.ts";
import { type Configuration, describeProblem, describeUnenforcedLimits } from "./configuration.ts";
import { keepYoungGenerationSmall } from "./heap.ts";
import { DaemonLog } from "./log.ts";
import { createTransientDirectory } from "./service-directories.ts";
import { describeError } from "./system-error.ts";

/**
 * Runs the daemon until a signal ends it. Resolves with the exit status: 0 after SIGTERM, 1 when it could
 * not start; everything that the daemon created is then gone.
 */
export async function runDaemon(given: DaemonArguments): Promise<number> {
  const log = new DaemonLog();
  // A daemon in the background leaves the current folder, and may have to reload from the file.
  const { configuration: choice } = given;
  const path = choice.kind === "file" ? { ...choice, path: resolve(choice.path) } : choice;
  try {
    return await new Daemon({ ...given, configuration: path }, log).run();
  } catch (error) {
    log.error(`Failed to start message bus: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

/** Why the daemon cannot start, in the words to print. */
class StartError extends Error {
  override readonly name = "StartError";
}

class Daemon {
  readonly #given: DaemonArguments;
  readonly #log: DaemonLog;
  readonly #foreground: Foreground | null;
  #configuration: Configuration;
  #pidFile: string | null;

  constructor(given: DaemonArguments, log: DaemonLog) {
    this.#given = given;
    this.#log = log;
    this.#foreground = Foreground.take();
    this.#configuration = this.#load();
    this.#pidFile = null;
  }

  async run(): Promise<number> {
    const forks = this.#given.fork ?? this.#configuration.forks;
    if (forks && this.#foreground === null) return this.#runInBackground();
    this.#configureLog();
    this.#check();
    // From here on a signal finds sockets to remove; whoever reads the address may send one at once.
    const ended = endingSignal();
    process.on("SIGHUP", ignore);
    const started = await this.#startBus();
    process.off("SIGHUP", ignore);
    process.on("SIGHUP", () => started.bus.reload());
    try {
      await this.#becomeReady(started);
    } catch (error) {
      await this.#stop(started);
      throw error;
    }
    const signal = await ended;
    await this.#stop(started);
    // dbus-daemon handles only SIGTERM; an interrupted one looks interrupted to its shell.
    if (signal === "SIGINT") process.kill(process.pid, signal);
    return 0;
  }

  async #runInBackground(): Promise<number> {
    const file = this.#given.configuration;
    const [, descriptor] =
      /^\/(?:proc\/self|dev)\/fd\/(\d+)$/.exec(file.kind === "file" ? file.path : "") ?? [];
    const result = await startInBackground(descriptor === undefined ? null : Number(descriptor));
    if ("exitStatus" in result) return result.exitStatus;
    printLine(this.#given.printAddress, result.address);
    printLine(this.#given.printPid, String(result.processId));
    return 0;
  }

  #load(): Configuration {
    const { configuration, problem } = loadConfiguration(this.#given.configuration);
    if (configuration === null) throw new StartError(describeProblem(problem));
    return configuration;
  }

  #configureLog(): void {
    const { type, usesSyslog, warnings } = this.#configuration;
    this.#log.configure(type, this.#given.log ?? (usesSyslog ? "both" : "stderr"));
    for (const warning of warnings) this.#log.warning(describeProblem(warning));
    const limits = describeUnenforcedLimits(this.#configuration);
    if (limits !== null) this.#log.info(limits);
  }

  /** What can be known to fail is found before anything is created. */
  #check(): void {
    const { user, pidFile } = this.#configuration;
    if (user !== null && findUser(user) === null) {
      throw new StartError(`Could not get UID and GID for username "${user}"`);
    }
    if (pidFile === null || !this.#given.usesPidFile) return;
    if (existsSync(pidFile)) {
      throw new StartError(
        `The pid file "${pidFile}" exists, if the message bus is not running, remove this file`,
      );
    }
  }

  #startBus(): Promise<StartedBus> {
    const { listen, transientServiceDirectory: transient } = this.#configuration;
    const problem = transient === null ? null : createTransientDirectory(transient);
    if (problem !== null) this.#log.warning(`no transient services: ${problem}`);
    return startBus({
      ...busOptionsOf(this.#configuration, () => this.#configuration),
      listen: this.#given.address === null ? listen : [this.#given.address],
      // dbus-daemon unlinks whatever socket is there before it binds.
      takeover: "always",
      log: this.#log.write,
      systemdActivation: this.#given.systemdActivation,
      complain: this.#given.complains,
      reload: () => this.#reload(),
    });
  }

  async #becomeReady(started: StartedBus): Promise<void> {
    // Clients try addresses in order, and the last <listen> is to be tried first.
    const address = started.addresses.toReversed().join(";");
    started.bus.address = address;
    if (this.#foreground === null) printLine(this.#given.printAddress, address);
    else this.#foreground.tellAddress(address);
    const { pidFile, user, keepsUmask } = this.#configuration;
    if (pidFile !== null && this.#given.usesPidFile) {
      this.#pidFile = resolve(pidFile);
      writeFileSync(this.#pidFile, `${process.pid}\n`, { flag: "wx", mode: 0o644 });
    }
    if (this.#foreground === null) printLine(this.#given.printPid, String(process.pid));
    if (user !== null) becomeUser(user);
    await tellServiceManager(this.#log);
    this.#foreground?.leave(keepsUmask);
    keepYoungGenerationSmall();
  }

  /** Returns why the old configuration stays, or `null`. */
  #reload(): string | null {
    let next: Configuration;
    try {
      next = this.#load();
    } catch (error) {
      const text = describeError(error);
      this.#log.error(`Unable to reload configuration: ${text}`);
      return text;
    }
    this.#configuration = next;
    for (const warning of next.warnings) this.#log.warning(describeProblem(warning));
    this.#log.info("Reloaded configuration");
    return null;
  }

  /** Stops the bus and removes what it made, as far as the user that it has become may do that. */
  async #stop(started: StartedBus): Promise<void> {
    const pidFile = this.#pidFile;
    const leave = (error: unknown): void => {
      this.#log.warning(`left behind: ${error instanceof Error ? error.message : error}`);
    };
    await started.stop().catch(leave);
    if (pidFile !== null) await unlink(pidFile).catch(leave);
  }
}

const ignore = (): void => {};

/** The first signal that is to end the daemon; further ones then have their usual effect. */
function endingSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signals = ["SIGTERM", "SIGINT"] as const;
    const end = (signal: NodeJS.Signals): void => {
      for (const each of signals) process.off(each, end);
      resolve(signal);
    };
    for (const each of signals) process.on(each, end);
  });
}

/** One line; then the descriptor is closed if it is not a standard one: its reader waits for the end. */
function printLine(descriptor: number | null, line: string): void {
  if (descriptor === null) return;
  writeSync(descriptor, `${line}\n`);
  if (descriptor > 2) closeSync(descriptor);
}

/** Gives up root for good, with all groups, once everything that needs it has been opened. */
function becomeUser(user: string): void {
  const account = findUser(user);
  if (account === null) throw new StartError(`User '${user}' does not appear to exist?`);
  if (process.geteuid?.() === account.userId && process.getegid?.() === account.groupId) return;
  process.setgroups?.([]);
  process.setgid?.(account.groupId);
  process.setuid?.(account.userId);
}

/** READY=1 for systemd: by its own program, because Node has no datagram sockets of that kind. */
function tellServiceManager(log: DaemonLog): Promise<void> {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") return Promise.resolve();
  return new Promise((resolve) => {
    // Without waiting until systemd has taken notice: clients need not wait for that.
    const words = [`--pid=${process.pid}`, "--no-block", "--ready"];
    const child = spawn("systemd-notify", words, { stdio: "ignore" });
    child.once("error", () => {
      log.warning("NOTIFY_SOCKET is set and there is no systemd-notify(1)");
      resolve();
    });
    child.once("exit", () => resolve());
  });
}
