/** The life of the daemon: start, tell the address, reload, stop. */

import { resolve } from "node:path";
import { DirectoryWatch } from "../../bus/directory-watch.ts";
import { type StartedBus, startBus } from "../../bus/index.ts";
import { becomeUser } from "./account-change.ts";
import { findUser } from "./accounts.ts";
import type { DaemonArguments } from "./arguments.ts";
import { Foreground, startInBackground } from "./background.ts";
import { busOptionsOf } from "./bus-options.ts";
import { loadConfiguration } from "./config-file.ts";
import {
  type Configuration,
  changedForNextStart,
  describeProblem,
  describeUnenforcedLimits,
} from "./configuration.ts";
import { keepYoungGenerationSmall } from "./heap.ts";
import { DaemonLog } from "./log.ts";
import { initialOpenFiles, raiseOpenFiles } from "./open-files.ts";
import { PidFile } from "./pid-file.ts";
import { printingProblem, printLine } from "./printing.ts";
import { withTransientDirectory } from "./service-directories.ts";
import { ServiceManager } from "./service-manager.ts";
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
  readonly #manager: ServiceManager;
  #configuration: Configuration;
  #pidFile: PidFile | null;
  /** Sees what comes into, goes from and changes in included directories, as dbus-daemon does. */
  #watch: DirectoryWatch | null;

  constructor(given: DaemonArguments, log: DaemonLog) {
    this.#given = given;
    this.#log = log;
    this.#foreground = Foreground.take();
    this.#manager = new ServiceManager(process.env["NOTIFY_SOCKET"] ?? "", log);
    this.#configuration = this.#load();
    this.#pidFile = null;
    this.#watch = null;
  }

  async run(): Promise<number> {
    const forks = this.#given.fork ?? this.#configuration.forks;
    this.#checkPrinting();
    if (forks && this.#foreground === null) return this.#runInBackground();
    this.#configureLog();
    this.#check();
    // From here on a signal finds sockets to remove; whoever reads the address may send one at once.
    const ended = endingSignal();
    process.on("SIGHUP", ignore);
    const started = await this.#startBus();
    process.off("SIGHUP", ignore);
    process.on("SIGHUP", () => started.bus.reload());
    this.#watch = new DirectoryWatch(() => started.bus.reload());
    // Before anybody knows the address: who does may count on it.
    this.#watch.use(this.#configuration.watchedDirectories);
    try {
      await this.#becomeReady(started);
    } catch (error) {
      await this.#stop(started);
      throw error;
    }
    const signal = await ended;
    this.#manager.stopping();
    await this.#stop(started);
    // dbus-daemon handles only SIGTERM; an interrupted one looks interrupted to its shell.
    if (signal === "SIGINT") process.kill(process.pid, signal);
    return 0;
  }

  async #runInBackground(): Promise<number> {
    const file = this.#given.configuration;
    const [, descriptor] =
      /^\/(?:proc\/self|dev)\/fd\/(\d+)$/.exec(file.kind === "file" ? file.path : "") ?? [];
    const result = await startInBackground(
      descriptor === undefined ? null : Number(descriptor),
      initialOpenFiles(),
    );
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

  /** The process in the foreground prints: only that one has the descriptors. */
  #checkPrinting(): void {
    if (this.#foreground !== null) return;
    const { printAddress, printPid } = this.#given;
    const problem = printingProblem(printAddress) ?? printingProblem(printPid);
    if (problem !== null) throw new StartError(problem);
  }

  /** What can be known to fail is found before anything is created. */
  #check(): void {
    const { user, pidFile } = this.#configuration;
    if (user !== null && findUser(user) === null) {
      throw new StartError(`Could not get UID and GID for username "${user}"`);
    }
    if (pidFile === null || !this.#given.usesPidFile) return;
    const problem = PidFile.problem(pidFile);
    if (problem !== null) throw new StartError(problem);
  }

  #startBus(): Promise<StartedBus> {
    this.#createTransientDirectory();
    const { listen } = this.#configuration;
    const options = busOptionsOf(this.#configuration, () => this.#configuration);
    // Before the limit is raised: services get it as it was.
    const openFiles = this.#foreground?.openFiles ?? initialOpenFiles();
    const refused = raiseOpenFiles();
    if (refused !== null) this.#log.info(refused);
    return startBus({
      ...options,
      ...(options.activation && { activation: { ...options.activation, openFiles } }),
      listen: this.#given.address === null ? listen : [this.#given.address],
      // dbus-daemon unlinks whatever socket is there before it binds.
      takeover: "always",
      hostsEventLoop: true,
      log: this.#log.write,
      systemdActivation: this.#given.systemdActivation,
      complain: this.#given.complains,
      reload: () => this.#reload(),
    });
  }

  #createTransientDirectory(): void {
    const { configuration, problem } = withTransientDirectory(this.#configuration);
    this.#configuration = configuration;
    if (problem !== null) this.#log.warning(`no transient services: ${problem}`);
  }

  async #becomeReady(started: StartedBus): Promise<void> {
    // Clients try addresses in order, and the last <listen> is to be tried first.
    const address = started.addresses.toReversed().join(";");
    started.bus.address = address;
    if (this.#foreground === null) printLine(this.#given.printAddress, address);
    else this.#foreground.tellAddress(address);
    const { pidFile, user, keepsUmask } = this.#configuration;
    if (pidFile !== null && this.#given.usesPidFile) {
      this.#pidFile = PidFile.write(pidFile);
    }
    if (this.#foreground === null) printLine(this.#given.printPid, String(process.pid));
    const stays = user === null ? null : becomeUser(user);
    if (stays !== null) this.#log.info(stays);
    this.#foreground?.leave(keepsUmask);
    this.#manager.ready();
    keepYoungGenerationSmall();
  }

  /** Returns why the old configuration stays, or `null`. */
  #reload(): string | null {
    this.#manager.reloading();
    const problem = this.#readAgain();
    this.#manager.ready();
    return problem;
  }

  #readAgain(): string | null {
    let next: Configuration;
    try {
      next = this.#load();
    } catch (error) {
      const text = describeError(error);
      this.#log.error(`Unable to reload configuration: ${text}`);
      return text;
    }
    const before = this.#configuration;
    this.#configuration = next;
    for (const warning of next.warnings) this.#log.warning(describeProblem(warning));
    const elements = changedForNextStart(before, next);
    if (elements.length > 0) {
      this.#log.info(`${elements.join(", ")}: what has changed counts from the next start on`);
    }
    this.#createTransientDirectory();
    this.#watch?.use(next.watchedDirectories);
    this.#log.info("Reloaded configuration");
    return null;
  }

  /** Stops the bus and removes what it made, as far as the user that it has become may do that. */
  async #stop(started: StartedBus): Promise<void> {
    this.#watch?.stop();
    const leave = (error: unknown): void => {
      this.#log.warning(`left behind: ${error instanceof Error ? error.message : error}`);
    };
    await started.stop().catch(leave);
    await this.#pidFile?.remove().catch(leave);
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
