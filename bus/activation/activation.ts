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
import type { Limits } from "../limits.ts";
import type { Log } from "../log.ts";
import type { ActivationOptions } from "../options.ts";
import { SYSTEMD_NAME } from "../systemd.ts";
import { type CommandLineProblem, parseCommandLine } from "./command-line.ts";
import { DirectoryWatch } from "./directory-watch.ts";
import { failure, failureOf, timedOut, tooManyStarts } from "./failure.ts";
import { type LaunchEnd, type LaunchedService, Launcher } from "./launcher.ts";
import { ServiceDirectories } from "./service-directories.ts";
import type { ServiceFile } from "./service-file.ts";
import { environmentOf, inheritedEnvironment } from "./starter-environment.ts";

/** What activation needs from the bus. */
export interface ActivationHost {
  readonly limits: Limits;
  readonly log: Log;
  /** Where the bus listens, or null if only its own process can reach it. */
  address(): string | null;
  /** Does systemd start the services that name a unit? */
  readonly usesSystemd: boolean;
  /** Asks systemd for a unit, or at least says to monitors that it would; false if it is not there yet. */
  requestUnit(unit: string): boolean;
  /** What peers have added to the environment. */
  variables(): ReadonlyMap<string, string>;
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
  readonly exec: string;
  /** Null if systemd starts it. */
  service: LaunchedService | null;
  readonly unit: string | null;
  /** Does systemd still have to be asked for the unit? */
  isUnitToRequest: boolean;
  readonly timer: NodeJS.Timeout;
  readonly starters: Starter[];
  /** Messages that have asked for it by their users, those of peers included that are gone by now. */
  readonly requests: Map<Payer, number>;
  /** Says more about a start that takes too long. */
  hint: string;
}

/** What systemd's own service file would say, if it had to have one. */
const SYSTEMD: ServiceFile = { name: SYSTEMD_NAME, exec: "", user: null, systemdService: null };

export class Activation implements Gateway {
  readonly #options: ActivationOptions;
  readonly #next: Gateway;
  readonly #host: ActivationHost;
  readonly #directories: ServiceDirectories;
  readonly #watch: DirectoryWatch;
  readonly #launcher: Launcher = new Launcher();
  readonly #inherited: Readonly<Record<string, string>> = inheritedEnvironment(process.env);
  readonly #pending: Map<string, PendingStart> = new Map();
  #requestCount = 0;
  #isStopped = false;

  /** `next` is asked for names without a service file. */
  constructor(options: ActivationOptions, next: Gateway, host: ActivationHost) {
    this.#options = options;
    this.#next = next;
    this.#host = host;
    this.#directories = new ServiceDirectories(host.log);
    this.#watch = new DirectoryWatch(() => {
      if (this.#directories.takeChange()) host.servicesChanged();
    });
    this.#directories.use(options.directories());
    // The bus need not wait with its start until every file has been read.
    setImmediate(() => this.#look()).unref();
  }

  /** The names that have a service file. */
  names(): readonly string[] {
    return this.#directories.names();
  }

  /** Asks again which directories count, and reads everything in them. */
  reload(): void {
    this.#directories.use(this.#options.directories());
    this.#look();
  }

  find(name: string, sender: Endpoint, mayStart: boolean): GatewayAnswer | GatewayFailure {
    const answer = mayStart ? this.#request(name, sender) : GatewayAnswer.Absent;
    return answer === GatewayAnswer.Absent ? this.#next.find(name, sender, mayStart) : answer;
  }

  /** The same for somebody who only wants it to be started; `isOwned`: somebody has the name already. */
  start(
    name: string,
    sender: Endpoint,
    isOwned: boolean,
  ): GatewayAnswer | GatewayFailure | "running" {
    if (!isOwned) return this.#request(name, sender);
    const refusal = this.#limitReached(name);
    if (refusal !== null) return refusal;
    return this.#directories.find(name) === null ? GatewayAnswer.Absent : "running";
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

  /** Systemd has come: the units that it still has to be asked for. */
  takeUnitsToRequest(): readonly string[] {
    const units: string[] = [];
    for (const pending of this.#pending.values()) {
      if (pending.isUnitToRequest && pending.unit !== null) units.push(pending.unit);
      pending.isUnitToRequest = false;
    }
    return units;
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
  }

  #look(): void {
    if (this.#isStopped) return;
    this.#directories.takeChange();
    this.#watch.use(this.#options.directories().map(({ path }) => path));
  }

  /** One more message wants `name` to be there. The order of the checks is dbus-daemon's. */
  #request(name: string, sender: Endpoint): GatewayAnswer | GatewayFailure {
    const refusal = this.#limitReached(name);
    if (refusal !== null) return refusal;
    // Systemd will come by itself, with or without a service file.
    const isSystemd = this.#host.usesSystemd && name === SYSTEMD_NAME;
    const file = isSystemd ? SYSTEMD : this.#directories.find(name);
    if (file === null) return GatewayAnswer.Absent;
    const share = this.#host.chargeStart(sender);
    if (share !== null) return failure("LimitsExceeded", `Activation of ${name} failed: ${share}`);
    const pending = this.#pending.get(name) ?? this.#begin(file, isSystemd, sender);
    const { payer } = sender;
    if ("errorName" in pending) {
      this.#host.startOver(payer, 1);
      return pending;
    }
    pending.requests.set(payer, (pending.requests.get(payer) ?? 0) + 1);
    this.#requestCount++;
    return GatewayAnswer.Pending;
  }

  #limitReached(name: string): GatewayFailure | null {
    const limit = this.#host.limits.maxPendingServiceStarts;
    return this.#requestCount >= limit ? tooManyStarts(name, limit) : null;
  }

  #begin(file: ServiceFile, isSystemd: boolean, sender: Endpoint): PendingStart | GatewayFailure {
    const { name } = file;
    if (isSystemd) return this.#wait(file, null);
    if (this.#host.usesSystemd && file.systemdService !== null) {
      const pending = this.#wait(file, file.systemdService);
      pending.isUnitToRequest = !this.#host.requestUnit(file.systemdService);
      const how = pending.isUnitToRequest
        ? "Activating systemd to hand-off"
        : "Activating via systemd";
      this.#tell(`${how}: service name='${name}' unit='${file.systemdService}'`, sender);
      return pending;
    }
    const problem = this.#options.refusal?.() ?? null;
    if (problem !== null) return failure("Spawn.Failed", `Cannot launch ${name}: ${problem}`);
    const words = parseCommandLine(file.exec);
    if ("problem" in words) return this.#unusable(name, words);
    const pending = this.#wait(file, null);
    this.#tell(`Activating service name='${name}'`, sender);
    pending.service = this.#launcher.launch({ words, environment: this.#environment }, (end) =>
      this.#ended(pending, end),
    );
    return pending;
  }

  #wait({ name, exec }: ServiceFile, unit: string | null): PendingStart {
    const pending: PendingStart = {
      name,
      exec,
      service: null,
      unit,
      isUnitToRequest: false,
      timer: setTimeout(() => this.#expired(pending), this.#host.limits.serviceStartTimeoutMs),
      starters: [],
      requests: new Map(),
      hint: "",
    };
    this.#pending.set(name, pending);
    return pending;
  }

  #tell(what: string, requester: Endpoint): void {
    const text = `${what} requested by ${requester.description}`;
    this.#host.log({ level: "info", text, fields: {} });
  }

  #unusable(name: string, { problem }: CommandLineProblem): GatewayFailure {
    const text = `Failed to activate service ${name}: ${problem}`;
    this.#host.log({ level: "warning", text, fields: {} });
    return failure("InvalidArgs", problem);
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
    const { name, exec } = pending;
    const isTold = failureOf(name, end, true);
    if (isTold === null) {
      pending.hint = "; its process ended with status 0 and nobody took the name";
      return;
    }
    this.#host.log({
      level: "warning",
      text: `Activated service '${name}' failed: ${isTold.text}`,
      fields: { exec },
    });
    // On a system bus what a service prints is not for everybody.
    const why = failureOf(name, end, this.#busType !== "system") ?? isTold;
    const others = [...this.#pending.values()].filter(
      (other) => other.service !== null && other.exec === exec,
    );
    for (const other of [...others.filter((each) => each !== pending), pending]) {
      this.#fail(other, why);
    }
  }

  #expired(pending: PendingStart): void {
    const { name, hint, service } = pending;
    service?.kill();
    const why = timedOut(name, this.#host.limits.serviceStartTimeoutMs, hint);
    this.#host.log({ level: "warning", text: why.text, fields: { exec: pending.exec } });
    this.#fail(pending, why);
  }

  #fail(pending: PendingStart, why: GatewayFailure): void {
    this.#settle(pending);
    this.#host.failed(pending.name, why);
  }

  #settle(pending: PendingStart): void {
    clearTimeout(pending.timer);
    pending.service?.release();
    this.#pending.delete(pending.name);
    for (const [payer, count] of pending.requests) {
      this.#requestCount -= count;
      this.#host.startOver(payer, count);
    }
  }
}
