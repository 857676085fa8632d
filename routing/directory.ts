/** Which endpoint a bus name leads to: one array read per message. */

import type { Strings } from "../wire/intern.ts";
import type { Endpoint } from "./endpoint.ts";

/**
 * Unique names and primarily owned well-known names, by string id. Every entry holds its string, so
 * an id that leads somewhere is never reused.
 */
export class Directory {
  readonly #strings: Strings;
  #byName: (Endpoint | null)[] = [];
  /** Endpoints by index. */
  readonly #byIndex: (Endpoint | null)[] = [];

  constructor(strings: Strings) {
    this.#strings = strings;
  }

  /** The endpoint that `nameId` leads to now, or null. */
  find(nameId: number): Endpoint | null {
    return this.#byName[nameId] ?? null;
  }

  findText(name: string): Endpoint | null {
    return this.find(this.#strings.findText(name));
  }

  at(index: number): Endpoint | null {
    return this.#byIndex[index] ?? null;
  }

  /** Every endpoint, registered or not. */
  *endpoints(): Generator<Endpoint> {
    for (const endpoint of this.#byIndex) if (endpoint != null) yield endpoint;
  }

  enter(endpoint: Endpoint): void {
    while (this.#byIndex.length <= endpoint.index) this.#byIndex.push(null);
    this.#byIndex[endpoint.index] = endpoint;
  }

  leave(endpoint: Endpoint): void {
    this.#byIndex[endpoint.index] = null;
  }

  /** Makes `name` lead to `endpoint`; returns its id. */
  assign(name: string, endpoint: Endpoint): number {
    const id = this.#strings.hold(name);
    // Dense up to the highest id, so that the array keeps its fast elements.
    while (this.#byName.length <= id) this.#byName.push(null);
    this.#byName[id] = endpoint;
    endpoint.addSender(id);
    return id;
  }

  /** Undoes `assign`, which returned `id`. */
  withdraw(id: number, endpoint: Endpoint): void {
    this.#byName[id] = null;
    endpoint.removeSender(id);
    this.#strings.release(id);
  }
}
