/** What a method of the driver is called with, and what it may answer. */

import type { MatchRule } from "../../matchrules/rule.ts";
import type { SubscriptionIndex } from "../../matchrules/subscription-index.ts";
import type { Directory } from "../../routing/directory.ts";
import type { Endpoint } from "../../routing/endpoint.ts";
import type { GatewayFailure } from "../../routing/gateway.ts";
import type { NameAuthority } from "../../routing/name-authority.ts";
import type { Accounting } from "../accounting.ts";
import type { Activation } from "../activation/activation.ts";
import type { ActivationEnvironment } from "../activation-environment.ts";
import type { Limits } from "../limits.ts";
import type { Log } from "../log.ts";
import type { NameRegistry } from "../names.ts";
import type { Policing } from "../policing.ts";
import type { Statistics } from "../statistics.ts";
import type { Outgoing } from "./outgoing.ts";

/** Everything that the driver's methods work on. */
export interface DriverContext {
  readonly guid: string;
  readonly limits: Limits;
  readonly directory: Directory;
  readonly names: NameRegistry;
  readonly authority: NameAuthority;
  readonly subscriptions: SubscriptionIndex;
  readonly outgoing: Outgoing;
  readonly environment: ActivationEnvironment;
  readonly statistics: Statistics;
  readonly accounting: Accounting;
  readonly log: Log;
  readonly activation: Activation;
  /** Is this said to be a bus that asks systemd to start services? */
  readonly systemdActivation: boolean;
  readonly policing: Policing;
  /** Keeps the message in hand until `name` is settled; false if its sender has too much waiting. */
  hold(name: string, sender: Endpoint): boolean;
  reload(): string | null;
  /** Why `endpoint` may not say Hello now, or null. */
  refusalOfHello(endpoint: Endpoint): string | null;
  /** Makes `endpoint` known under its unique name. */
  register(endpoint: Endpoint, uniqueName: string): void;
  /** Applies a change of owner to the directory and announces it. */
  ownerChanged(name: string, oldOwner: Endpoint | null, newOwner: Endpoint | null): void;
  /** Sends what an answer that came between two messages has led to. */
  answeredLater(): void;
  /** Takes everything from `endpoint` that a peer has, and shows it what matches one of `rules`. */
  becomeMonitor(endpoint: Endpoint, rules: readonly MatchRule[]): void;
  /** Shows the message in hand to monitors, though its sender has not said Hello. */
  showUnregistered(sender: Endpoint): void;
  /** Keeps the message in hand, to be shown when its sender has a name. */
  showWhenRegistered(sender: Endpoint): () => void;
}

/** One call of a method of the driver. */
export interface Call {
  readonly sender: Endpoint;
  readonly serial: number;
  readonly wantsReply: boolean;
  readonly path: string;
  readonly member: string;
  /** As the method's signature says: the dispatcher fills them in when it has checked it. */
  values: readonly unknown[];
}

/** An error by its D-Bus name without `org.freedesktop.DBus.Error.`. */
export interface DriverError {
  readonly error: string;
  readonly text: string;
}

/** `null`: the method answers for itself, now or later. */
export type Answer = readonly unknown[] | DriverError | GatewayFailure | null;

export function driverError(error: string, text: string): DriverError {
  return { error, text };
}

/** A method of an interface of the driver. */
export interface DriverMethod {
  readonly interface: string;
  readonly member: string;
  readonly input: string;
  /** The leading part of `input` that it looks at; values are made of no more. */
  readonly reads: string;
  readonly output: string;
  /** dbus-daemon answers most calls at any object path; those of newer interfaces only at its own. */
  readonly anyPath: boolean;
  /** Only root and the user that runs the bus may call it. */
  readonly isPrivileged?: true;
  run(call: Call, context: DriverContext): Answer;
}

/** Arguments whose types the dispatcher has checked against the method's signature. */
export function text(call: Call, index: number): string {
  return call.values[index] as string; // the signature has an `s` there
}

export function number(call: Call, index: number): number {
  return call.values[index] as number; // the signature has a `u` there
}
