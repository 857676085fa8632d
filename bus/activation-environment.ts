/** The environment variables that peers have set for the processes to be started. */

import type { Directory } from "../routing/directory.ts";
import type { Outgoing } from "./driver/outgoing.ts";
import { SYSTEMD_NAME } from "./systemd.ts";

/** Where systemd takes variables for the units that it will start. */
const SET_ENVIRONMENT = {
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
  member: "SetEnvironment",
} as const;

/** The variables as a plain record, and those that systemd has not been told, or null. */
export interface EnvironmentRecord {
  readonly variables: readonly (readonly [string, string])[];
  readonly untold: readonly (readonly [string, string])[] | null;
}

/** As in dbus-daemon, any two strings are a variable and its value, and the latest value counts. */
export class ActivationEnvironment {
  readonly #directory: Directory;
  readonly #outgoing: Outgoing;
  readonly #tellsSystemd: boolean;
  readonly #variables: Map<string, string> = new Map();
  /** What systemd is to be told once it is there; null if that is nothing, not even an empty update. */
  #untold: Map<string, string> | null = null;

  constructor(directory: Directory, outgoing: Outgoing, tellsSystemd: boolean) {
    this.#directory = directory;
    this.#outgoing = outgoing;
    this.#tellsSystemd = tellsSystemd;
  }

  get variables(): ReadonlyMap<string, string> {
    return this.#variables;
  }

  update(changes: ReadonlyMap<string, string>): void {
    for (const [name, value] of changes) this.#variables.set(name, value);
    if (!this.#tellsSystemd || this.#tell(changes, false)) return;
    this.#untold = new Map([...(this.#untold ?? []), ...changes]);
  }

  /** Systemd has come: it is told what it has missed. */
  catchUp(): void {
    if (this.#untold !== null && this.#tell(this.#untold, true)) this.#untold = null;
  }

  snapshot(): EnvironmentRecord {
    return { variables: [...this.#variables], untold: this.#untold && [...this.#untold] };
  }

  restore({ variables, untold }: EnvironmentRecord): void {
    for (const [name, value] of variables) this.#variables.set(name, value);
    this.#untold = untold && new Map(untold);
  }

  /** As in dbus-daemon, what had to wait goes to the name that it waited for, the rest to its owner. */
  #tell(changes: ReadonlyMap<string, string>, isLate: boolean): boolean {
    const systemd = this.#directory.findText(SYSTEMD_NAME);
    if (systemd === null) return false;
    const assignments = [...changes].map(([name, value]) => `${name}=${value}`);
    const destination = isLate ? SYSTEMD_NAME : systemd.uniqueName;
    this.#outgoing.methodCall(systemd, { ...SET_ENVIRONMENT, destination }, "as", [assignments]);
    return true;
  }
}
