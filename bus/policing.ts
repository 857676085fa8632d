/** What a bus does about policies: by its options there may be none. */

import type { Endpoint } from "../routing/endpoint.ts";
import type { Connection } from "../transport/connection.ts";
import type { Header } from "../wire/header.ts";
import type { Bus } from "./bus.ts";
import type { BusOptions } from "./options.ts";
import { PeerProcesses } from "./peer-process.ts";
import { Enforcement } from "./policy/enforcement.ts";
import type { Policy } from "./policy/policy.ts";
import { isPrivilegedUser } from "./user.ts";

export class Policing {
  readonly processes: PeerProcesses = new PeerProcesses();
  readonly #bus: Bus;
  readonly #options: Pick<BusOptions, "policy" | "mayConnect" | "complain">;
  #enforcement: Enforcement | null = null;

  constructor(bus: Bus, options: BusOptions) {
    this.#bus = bus;
    this.#options = options;
    bus.names.onChange = (endpoint, name, isGained) => this.nameChanged(endpoint, name, isGained);
    this.reload();
  }

  /** Why the message in hand, or a name, was refused. */
  get objection(): string {
    return this.#enforcement?.objection ?? "";
  }

  /** How many different sets of rules hold for peers, as far as anybody has asked. */
  get snapshotCount(): number {
    return this.#enforcement?.snapshotCount ?? 0;
  }

  /** Asks the options again. */
  reload(): void {
    const { policy } = this.#options;
    if (policy !== undefined) this.use(policy());
  }

  use(policy: Policy): void {
    if (this.#enforcement === null) this.#enforcement = this.#enforce(policy);
    else this.#enforcement.use(policy);
    this.#bus.router.gatekeeper = this.#enforcement.gatekeeper;
  }

  /** Why a user may not connect, or "" if there is nothing to say about it; null if it may. */
  objectionToUser(userId: number, connection: Connection): string | null {
    const isOwner = userId === process.geteuid?.();
    const { mayConnect } = this.#options;
    if (mayConnect !== undefined) {
      return mayConnect(userId, () => groupsOf(connection)) ? null : "";
    }
    if (this.#enforcement === null) return isPrivilegedUser(userId) ? null : "";
    return this.#enforcement.mayConnect(userId, isOwner) ? null : this.#enforcement.objection;
  }

  /** May `endpoint` own `name`? If not, `objection` says why. */
  mayOwn(endpoint: Endpoint, name: string): boolean {
    return this.#enforcement?.mayOwn(endpoint, name) ?? true;
  }

  /** Why the message in hand, which `sender` sends to `name`, may not start its owner; null if it may. */
  objectionToStart(sender: Endpoint, name: string): string | null {
    const { gatekeeper, header } = this.#bus.router;
    if (this.#enforcement === null || gatekeeper === null) return null;
    return this.#enforcement.mayStart(sender, name, header) ? null : this.objection;
  }

  /** Why `receiver`, who subscribed to it, is not given a copy of a message. */
  objectionToCopy(sender: Endpoint | null, receiver: Endpoint, header: Header): string {
    return this.#enforcement?.objectionToCopy(sender, receiver, header) ?? "";
  }

  registered(endpoint: Endpoint): void {
    this.forget(endpoint);
    // Which program it is can best be found out now.
    if (this.#bus.router.gatekeeper !== null) this.processes.describe(endpoint);
  }

  /** `endpoint` has got a name, as its owner or waiting for it, or has lost it. */
  nameChanged(endpoint: Endpoint, name: string, isGained: boolean): void {
    this.#enforcement?.nameChanged(endpoint, name, isGained);
  }

  /** `endpoint` is gone. */
  forget(endpoint: Endpoint): void {
    this.#enforcement?.forget(endpoint);
  }

  #enforce(policy: Policy): Enforcement {
    return new Enforcement(policy, {
      strings: this.#bus.strings,
      processes: this.processes,
      log: this.#bus.log,
      isComplaining: this.#options.complain === true,
      namesOf: (endpoint) => this.#namesOf(endpoint),
      groupsOf: ({ connection }) => groupsOf(connection),
    });
  }

  /** Its unique name, those that it owns, and those that it waits for. */
  *#namesOf(endpoint: Endpoint): Generator<string> {
    for (let i = 0; i < endpoint.senderCount; i++) {
      yield this.#bus.strings.textOf(endpoint.senders[i] as number); // i < senderCount
    }
    yield* this.#bus.names.namesOf(endpoint);
  }
}

function groupsOf(connection: Connection): readonly number[] | null {
  const { groups, processDescriptor } = connection.readCredentials();
  processDescriptor?.close();
  return groups;
}
