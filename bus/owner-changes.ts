/** What a name's change of owner leads to: who is told what, in dbus-daemon's order, and what takes notice of it. */

import type { Directory } from "../routing/directory.ts";
import type { Endpoint } from "../routing/endpoint.ts";
import type { Router } from "../routing/router.ts";
import type { Strings } from "../wire/intern.ts";
import type { Accounting } from "./accounting.ts";
import type { Activation, Starter } from "./activation/activation.ts";
import type { ActivationEnvironment } from "./activation-environment.ts";
import type { Outgoing } from "./driver/outgoing.ts";
import type { NameRegistry } from "./names.ts";
import type { Policing } from "./policing.ts";
import type { Statistics } from "./statistics.ts";
import { SYSTEMD_NAME } from "./systemd.ts";
import { Resource } from "./user.ts";

/** DBUS_START_REPLY_SUCCESS */
const STARTED = 1;

/** Whom a change concerns. */
export interface Concerned {
  readonly directory: Directory;
  readonly names: NameRegistry;
  readonly router: Router;
  readonly strings: Strings;
  readonly accounting: Accounting;
  readonly activation: Activation;
  readonly environment: ActivationEnvironment;
  readonly outgoing: Outgoing;
  readonly policing: Policing;
  readonly statistics: Statistics;
  /** Is there anybody who may want to see a broadcast? */
  isHeard(): boolean;
}

export class OwnerChanges {
  readonly #concerned: Concerned;

  constructor(concerned: Concerned) {
    this.#concerned = concerned;
  }

  /** `name`, unique or well-known, has a new primary owner; null is nobody. The registry has recorded it already. */
  apply(name: string, oldOwner: Endpoint | null, newOwner: Endpoint | null): void {
    const { accounting, directory, names, outgoing, policing, router, statistics, strings } =
      this.#concerned;
    for (const owner of [oldOwner, newOwner]) {
      if (owner !== null) accounting.settle(owner, Resource.Names, names.countOf(owner));
    }
    const isUnique = name.startsWith(":");
    if (isUnique && oldOwner !== null) statistics.noteUnregistered();
    if (oldOwner !== null) {
      const id = isUnique ? oldOwner.uniqueId : strings.findText(name);
      directory.withdraw(id, oldOwner);
      policing.nameChanged(oldOwner, name, false);
      // Who is gone is told nothing, but monitors see what it would have been told, as in dbus-daemon.
      if (!oldOwner.connection.isClosed || router.monitors.isActive) {
        outgoing.signal(oldOwner, "NameLost", "s", [name]);
      }
    }
    if (newOwner !== null && !isUnique) directory.assign(name, newOwner);
    if (newOwner !== null) policing.nameChanged(newOwner, name, true);
    const oldName = oldOwner?.uniqueName ?? "";
    const newName = newOwner?.uniqueName ?? "";
    if (this.#concerned.isHeard()) {
      outgoing.broadcast("NameOwnerChanged", "sss", [name, oldName, newName]);
    }
    const isNew = oldOwner === null && newOwner !== null;
    const starters = isNew ? this.#concerned.activation.owned(name) : null;
    if (starters !== null) this.#tellStarters(starters);
    if (newOwner !== null && !newOwner.connection.isClosed) {
      outgoing.signal(newOwner, "NameAcquired", "s", [name]);
    }
    const isSystemd = name === SYSTEMD_NAME && newOwner !== null;
    if (isSystemd) this.#concerned.environment.catchUp();
    // Systemd is asked for units, too, that somebody waits for.
    if (starters !== null || isSystemd) router.found(name);
  }

  #tellStarters(starters: readonly Starter[]): void {
    for (const { sender, serial, wantsReply } of starters) {
      if (!wantsReply || !sender.isRegistered || sender.connection.isClosed) continue;
      this.#concerned.outgoing.methodReturn(sender, serial, "u", [STARTED]);
    }
  }
}
