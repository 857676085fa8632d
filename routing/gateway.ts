/** Where to ask for an address that no endpoint here has: activation, an upstream bus, another host. */

import type { Endpoint } from "./endpoint.ts";

/** `Absent`: nobody has it. `Pending`: somebody is being asked; the message waits. */
export const GatewayAnswer = { Absent: 0, Pending: 1 } as const;
export type GatewayAnswer = (typeof GatewayAnswer)[keyof typeof GatewayAnswer];

/** Why an address was not found, as an error for those who wanted to reach it; routing only passes it on. */
export interface GatewayFailure {
  readonly errorName: string;
  readonly text: string;
}

/**
 * Looks for the owner of a name, and is asked for every message to one that nobody here has. After
 * `Pending` it settles the name later, once: with `Router.found(name)` when the directory leads
 * somewhere, or with `Router.notFound(name, …)`. A failure at once is for this message alone.
 */
export interface Gateway {
  find(name: string, sender: Endpoint, mayStart: boolean): GatewayAnswer | GatewayFailure;
}

/** The gateway of a bus that knows nobody but its own peers. */
export const nowhere: Gateway = { find: () => GatewayAnswer.Absent };
