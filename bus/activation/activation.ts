/**
 * Starts the owners of names that nobody owns, as their service files say.
 *
 * A name is pending from the first message that asks for it until somebody owns it, its program has failed, or
 * the time is up. What waits for it lies with the router, in the order of arrival; here is only who is to be told
 * that it was started. As in dbus-daemon, a program that ends with status 0 may have gone to the background and
 * is waited for, and a program that fails is not given another chance by names with the same command line.
 */

import type { Endpoint } from "../../routing/endpoint.ts";
import { type Gateway, GatewayAnswer, type GatewayFailure } from "../../routing/gateway.ts";
import type { Payer } from "../../routing/ledger.ts";
import { isErrorName } from "../../wire/names.ts";
import { DirectoryWatch } from "../directory-watch.ts";
import type { Limits } from "../limits.ts";
import type { Log } from "../log.ts";
import type { ActivationOptions } from "../options.ts";
import { SYSTEMD_NAME } from "../systemd.ts";
import { failure, failureOf, timedOut, tooManyStarts } from "./failure.ts";
import { type LaunchEnd, type LaunchedService, Launcher } from "./launcher.ts";
import { ServiceDirectories } from "./service-directories.ts";
import type { ServiceFile } from "./service-file.ts";
import { startCommand } from "./start-command.ts";
import { environmentOf, inheritedEnvironment } from "./starter-environment.ts";

/** What activation needs from the bus. */
export interface ActivationHost {
  readonly limits: Limits;
  readonly log: Log;
  /** Where the bus listens, or null if only its own process can reach it. */
  address(): string | null;
  /** Does systemd start the services that name a unit? */
  readonly usesSystemd: boolean;
  /**
   * Asks systemd for a unit, and returns null; if it is not there yet, at least says to monitors that it would, asks
   * when it has come, and returns how to give that up.
   */
  requestUnit(unit: string): (() => void) | null;
  /** What peers have added to the environment. */
  variables(): ReadonlyMap<string, string>;
  /** Why the message that `sender` has just sent for `name` may not start its owner; null: it may. */
  objection(name: string, sender: Endpoint): string | null;
  /** May one more message of `sender` wait for a service? Charged if so, until `startOver`. */
  chargeStart(sender: Endpoint): string | null;
  startOver(payer: Payer, count: number): void;
  /** Everything that waits for `name` fails. */
  failed(name: string, why: GatewayFailure): void;
  /** The list of activatable names may be another one. */
  servicesChanged(): void;
}

/** A call of StartServiceByName. */
export interface Starter {
  readonly sender: Endpoint;
  readonly serial: number;
  readonly wantsReply: boolean;
}

interface PendingStart {
  readonly name: string;
  /** Null for systemd, which has no file. */
  readonly exec: string | null;
  /** Null if systemd starts it. */
  service: LaunchedService | null;
  /** Is what was run a helper, whose status has a meaning of its own? */
  usesHelper: boolean;
  readonly unit: string | null;
  /** If systemd has not come yet: nobody has to ask it for the unit any more. */
  giveUpRequest: (() => void) | null;
  readonly timer: NodeJS.Timeout;
  readonly starters: Starter[];
  /** Messages that have asked for it by their users, those of peers included that are gone by now. */
  readonly requests: Map<Payer, number>;
  /** Says more about a start that takes too long. */
  hint: string;
}

/** How the log says that a helper was asked to start a service. */
const HELPED = " (using servicehelper)";

export class Activation implements Gateway {
  readonly #options: ActivationOptions;
  readonly #next: Gateway;
  readonly #host: ActivationHost;
  readonly #directories: ServiceDirectories;
  readonly #watch: DirectoryWatch;
  readonly #launcher: Launcher;
  readonly #inherited: Readonly<Record<string, string>> = inheritedEnvironment(process.env);
  readonly #pending: Map<string, PendingStart> = new Map();
  #requestCount = 0;
  #isStopped = false;

  /** `next` is asked for names without a service file. */
  constructor(options: ActivationOptions, next: Gateway, host: ActivationHost) {
    this.#options = options;
    this.#next = next;
    this.#host = host;
    this.#launcher = new Launcher(options.openFiles ?? null);
    this.#directories = new ServiceDirectories(host.log);
    this.#watch = new DirectoryWatch(() => {
      if (this.#directories.takeChange()) host.servicesChanged();
    });
    this.#directories.use(options.directories(), this.usesHelper);
    // The bus need not wait with its start until every file has been read.
    setImmediate(() => this.#look()).unref();
  }

  /** Are services started as the users that their files name? */
  get usesHelper(): boolean {
    return this.#helper !== null;
  }

  /** The names that have a service file. */
  names(): readonly string[] {
    return this.#directories.names();
  }

  /** Asks again which directories count, and reads everything in them. */
  reload(): void {
    this.#directories.use(this.#options.directories(), this.usesHelper);
    this.#look();
  }

  find(name: string, sender: Endpoint, mayStart: boolean): GatewayAnswer | GatewayFailure {
    const answer = mayStart ? this.#request(name, sender, true) : GatewayAnswer.Absent;
    return answer === GatewayAnswer.Absent ? this.#next.find(name, sender, mayStart) : answer;
  }

  /** The same for somebody who only wants it to be started; `isOwned`: somebody has the name already. */
  start(
    name: string,
    sender: Endpoint,
    isOwned: boolean,
  ): GatewayAnswer | GatewayFailure | "running" {
    if (!isOwned) return this.#request(name, sender, false);
    const refusal = this.#limitReached(name);
    if (refusal !== null) return refusal;
    const isKnown = this.#isSystemd(name) || this.#directories.find(name) !== null;
    return isKnown ? "running" : GatewayAnswer.Absent;
  }

  /** `starter` is to be told when `name`, which is pending, has been started. */
  tellWhenStarted(name: string, starter: Starter): void {
    this.#pending.get(name)?.starters.push(starter);
  }

  /** Somebody owns `name` now: who asked for the start, or null if nobody did and nothing waits. */
  owned(name: string): readonly Starter[] | null {
    const pending = this.#pending.get(name);
    if (pending === undefined) return null;
    this.#settle(pending);
    this.#host.log({ level: "info", text: `Successfully activated service '${name}'`, fields: {} });
    return pending.starters;
  }

  /** Systemd says why it did not start `unit`. */
  unitFailed(unit: string, why: GatewayFailure): void {
    const text = `Activation via systemd failed for unit '${unit}': ${why.text}`;
    this.#host.log({ level: "warning", text, fields: {} });
    const { errorName } = why;
    const told = isErrorName(errorName) ? why : failure("Failed", why.text);
    for (const pending of [...this.#pending.values()]) {
      if (pending.unit === unit) this.#fail(pending, told);
    }
  }

  /** Waits for nothing any more. What was started goes on, as with dbus-daemon. */
  stop(): void {
    this.#isStopped = true;
    this.#watch.stop();
    for (const pending of [...this.#pending.values()]) this.#settle(pending);
    this.#launcher.close();
  }

  #look(): void {
    if (this.#isStopped) return;
    this.#directories.takeChange();
    this.#watch.use(this.#options.directories().map(({ path }) => path));
  }

  /**
   * One more message wants `name` to be there; `isForOwner`: it is to be given to the owner. The order of the checks is
   * dbus-daemon's.
   */
  #request(name: string, sender: Endpoint, isForOwner: boolean): GatewayAnswer | GatewayFailure {
    const refusal = this.#limitReached(name);
    if (refusal !== null) return refusal;
    const file = this.#isSystemd(name) ? null : this.#directories.find(name);
    if (file === null && !this.#isSystemd(name)) return GatewayAnswer.Absent;
    const objection = isForOwner && file !== null ? this.#host.objection(name, sender) : null;
    if (objection !== null) return failure("AccessDenied", objection);
    const share = this.#host.chargeStart(sender);
    if (share !== null) return failure("LimitsExceeded", `Activation of ${name} failed: ${share}`);
    const pending = this.#pending.get(name) ?? this.#begin(name, file, sender);
    const { payer } = sender;
    if ("errorName" in pending) {
      this.#host.startOver(payer, 1);
      return pending;
    }
    pending.requests.set(payer, (pending.requests.get(payer) ?? 0) + 1);
    this.#requestCount++;
    return GatewayAnswer.Pending;
  }

  /** It will come by itself, with or without a service file. */
  #isSystemd(name: string): boolean {
    return this.#host.usesSystemd && name === SYSTEMD_NAME;
  }

  #limitReached(name: string): GatewayFailure | null {
    const limit = this.#host.limits.maxPendingServiceStarts;
    return this.#requestCount >= limit ? tooManyStarts(name, limit) : null;
  }

  #begin(name: string, file: ServiceFile | null, sender: Endpoint): PendingStart | GatewayFailure {
    if (file === null) return this.#wait(name, null, null);
    const { exec, user } = file;
    if (this.#host.usesSystemd && file.systemdService !== null) {
      const pending = this.#wait(name, exec, file.systemdService);
      pending.giveUpRequest = this.#host.requestUnit(file.systemdService);
      const how =
        pending.giveUpRequest === null
          ? "Activating via systemd"
          : "Activating systemd to hand-off";
      this.#tell(`${how}: service name='${name}' unit='${file.systemdService}'`, sender);
      return pending;
    }
    const helper = this.#helper;
    const words = startCommand(file, helper);
    if ("errorName" in words) return this.#unusable(name, words);
    const pending = this.#wait(name, exec, null);
    pending.usesHelper = helper !== null;
    this.#tell(`Activating service name='${name}'`, sender, helper === null ? "" : HELPED);
    if (helper === null && user !== null && this.#busType === "system") {
      const text = `'${name}' runs as the user of the bus, not as ${user}: there is no <servicehelper>`;
      this.#host.log({ level: "warning", text, fields: {} });
    }
    pending.service = this.#launcher.launch({ words, environment: this.#environment }, (end) =>
      this.#ended(pending, end),
    );
    return pending;
  }

  #wait(name: string, exec: string | null, unit: string | null): PendingStart {
    const pending: PendingStart = {
      name,
      exec,
      service: null,
      usesHelper: false,
      unit,
      giveUpRequest: null,
      timer: setTimeout(() => this.#expired(pending), this.#host.limits.serviceStartTimeoutMs),
      starters: [],
      requests: new Map(),
      hint: "",
    };
    this.#pending.set(name, pending);
    return pending;
  }

  #tell(what: string, requester: Endpoint, how = ""): void {
    const text = `${what} requested by ${requester.description}${how}`;
    this.#host.log({ level: "info", text, fields: {} });
  }

  #unusable(name: string, why: GatewayFailure): GatewayFailure {
    const text = `Failed to activate service ${name}: ${why.text.trimEnd()}`;
    this.#host.log({ level: "warning", text, fields: {} });
    return why;
  }

  get #helper(): string | null {
    return this.#options.helper?.() ?? null;
  }

  get #environment(): Readonly<Record<string, string>> {
    return environmentOf({
      inherited: this.#inherited,
      variables: this.#host.variables(),
      address: this.#host.address(),
      busType: this.#busType,
    });
  }

  get #busType(): string | null {
    return this.#options.busType === undefined ? "session" : this.#options.busType;
  }

  #ended(pending: PendingStart, end: LaunchEnd): void {
    const { name, exec, usesHelper } = pending;
    const isLogged = failureOf({ name, usesHelper, tellsOutput: true }, end);
    if (isLogged === null) {
      pending.hint = "; its process ended with status 0 and nobody took the name";
      return;
    }
    this.#host.log({
      level: "warning",
      text: `Activated service '${name}' failed: ${isLogged.text}`,
      fields: { exec: exec ?? "" },
    });
    // Where there are several users, what a service prints is not for everybody.
    const tellsOutput = !usesHelper && this.#busType !== "system";
    const why = failureOf({ name, usesHelper, tellsOutput }, end) ?? isLogged;
    const others = [...this.#pending.values()].filter((other) => other.exec === exec);
    for (const other of [...others.filter((each) => each !== pending), pending]) {
      this.#fail(other, why);
    }
  }

  #expired(pending: PendingStart): void {
    const { name, hint, service } = pending;
    service?.kill();
    const why = timedOut(name, this.#host.limits.serviceStartTimeoutMs, hint);
    this.#host.log({ level: "warning", text: why.text, fields: { exec: pending.exec ?? "" } });
    this.#fail(pending, why);
  }

  #fail(pending: PendingStart, why: GatewayFailure): void {
    this.#settle(pending);
    this.#host.failed(pending.name, why);
  }

  #settle(pending: PendingStart): void {
    clearTimeout(pending.timer);
    pending.service?.release();
    pending.giveUpRequest?.();
    this.#pending.delete(pending.name);
    for (const [payer, count] of pending.requests) {
      this.#requestCount -= count;
      this.#host.startOver(payer, count);
    }
  }
}
