/** Where to ask for an address that no endpoint here has: activation, an upstream bus, another host. */

import type { Endpoint } from "./endpoint.ts";

/** `Absent`: nobody has it. `Pending`: somebody is being asked; the message waits. */
export const GatewayAnswer = { Absent: 0, Pending: 1 } as const;
export type GatewayAnswer = (typeof GatewayAnswer)[keyof typeof GatewayAnswer];

/**
 * Looks for the owner of a name. After `Pending` it settles the name later, once: with
 * `Router.found(name)` when the directory leads somewhere, or with `Router.notFound(name, …)`.
 */
export interface Gateway {
  find(name: string, sender: Endpoint, mayStart: boolean): GatewayAnswer;
}

/** The gateway of a bus that knows nobody but its own peers. */
export const nowhere: Gateway = { find: () => GatewayAnswer.Absent };
