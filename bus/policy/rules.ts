/** A security policy as data: rules in the order of the configuration, each with the place where it stands. */

/** Where a rule was written, for those who want to know who decided. */
export interface RuleOrigin {
  readonly file: string;
  /** Counts from 1; 0 if there is no line to name. */
  readonly line: number;
  /** The element as it is written, for example `<deny own="*"/>`. */
  readonly element: string;
}

/**
 * Whom the rules of a `<policy>` are for. They are applied in this order: a later context overrides an
 * earlier one, the groups of a peer come in ascending order, and within a context the last rule counts.
 */
export type PolicyContext =
  | { readonly kind: "default" | "mandatory" }
  | { readonly kind: "group"; readonly groupId: number }
  | { readonly kind: "user"; readonly userId: number }
  | { readonly kind: "console"; readonly isAtConsole: boolean };

interface Rule {
  readonly context: PolicyContext;
  readonly allows: boolean;
  readonly origin: RuleOrigin;
}

/** Who may connect: a user or a group by number; `null` is everybody. Only in default and mandatory contexts. */
export interface ConnectRule extends Rule {
  readonly subject: "connect";
  readonly who: "user" | "group";
  readonly id: number | null;
}

/** A bus name, or with `isPrefix` it and all names below it. */
export interface NamePattern {
  readonly name: string;
  readonly isPrefix: boolean;
}

/** Who may own a name; `null` is any name. */
export interface OwnRule extends Rule {
  readonly subject: "own";
  readonly name: NamePattern | null;
}

/** What a message has to be for a rule to fit it; `null` is anything. */
export interface MessagePattern {
  /** 1 to 4, `MessageType`. */
  readonly type: number | null;
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  readonly errorName: string | null;
  /** How many descriptors it has, at least and at most. */
  readonly minUnixFds: number;
  readonly maxUnixFds: number;
  /**
   * For a message with a reply serial. A rule that allows with `true` fits those only that the receiver waits for; one
   * that denies with `false` fits those only that it does not wait for. Otherwise both fit.
   */
  readonly requestedReply: boolean;
  /**
   * A rule that allows does not fit what a peer overhears, unless this is `true`; one that denies with `true` fits
   * nothing else. For rules about sending it means that replies which nobody waits for are allowed, too.
   */
  readonly eavesdrop: boolean;
}

/** What a peer may send, and to whom. */
export interface SendRule extends Rule, MessagePattern {
  readonly subject: "send";
  /** A name that the receiver owns or waits for. */
  readonly destination: NamePattern | null;
  /** Fits signals without destination only, or everything else; `null`: both. */
  readonly broadcast: boolean | null;
  /** A message that it allows is told in the log, as if it were refused. */
  readonly logs: boolean;
}

/** What a peer may receive, and from whom. */
export interface ReceiveRule extends Rule, MessagePattern {
  readonly subject: "receive";
  /** A name that the sender owns or waits for. */
  readonly sender: string | null;
}

export type PolicyRule = ConnectRule | OwnRule | SendRule | ReceiveRule;

/**
 * Does dbus-daemon forget all rules of the same kind before this one? What else it asks for is not looked at there, so
 * that a narrow rule can forget wide ones.
 */
export function forgetsOthers(rule: SendRule | ReceiveRule): boolean {
  const name = rule.subject === "send" ? rule.destination : rule.sender;
  return [rule.type, rule.path, rule.interface, rule.member, rule.errorName, name].every(
    (asked) => asked === null,
  );
}

/** DBUS_MAXIMUM_MESSAGE_UNIX_FDS: `maxUnixFds` of a rule that does not say. */
export const MOST_UNIX_FDS = 33_554_432;

/** A rule as the log names it: `file:line: <element>`. */
export function describeOrigin({ file, line, element }: RuleOrigin): string {
  return `${line === 0 ? file : `${file}:${line}`}: ${element}`;
}
