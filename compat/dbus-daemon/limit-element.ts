/** `<limit name="…">`: dbus-daemon's names for limits, and which of ours each is. */

import type { Limits } from "../../bus/index.ts";

interface LimitKind {
  /** `null`: known to dbus-daemon and not yet, or not at all, enforced here. */
  readonly key: keyof Limits | null;
  /** What may be written. */
  readonly maximum: bigint;
  /** What it can mean at most. */
  readonly most: number;
}

const long = { maximum: 0x7fff_ffff_ffff_ffffn, most: Number.MAX_SAFE_INTEGER };
const int = { maximum: 0x7fff_ffffn, most: 0x7fff_ffff };
/** More digits than any number that may be written has, in any base. */
const MANY_DIGITS = 40;

const kinds: Readonly<Record<string, LimitKind>> = {
  max_incoming_bytes: { key: "maxIncomingBytes", ...long },
  max_incoming_unix_fds: { key: "maxIncomingUnixFds", ...long },
  max_outgoing_bytes: { key: "maxOutgoingBytes", ...long },
  max_outgoing_unix_fds: { key: "maxOutgoingUnixFds", ...long },
  // session.conf asks for 1 GB; no message may be longer than the specification allows.
  max_message_size: { key: "maxMessageSize", maximum: long.maximum, most: 134_217_728 },
  max_message_unix_fds: { key: "maxMessageUnixFds", ...long },
  service_start_timeout: { key: "serviceStartTimeoutMs", ...int },
  auth_timeout: { key: "authTimeoutMs", ...int },
  pending_fd_timeout: { key: "pendingFdTimeoutMs", ...int },
  reply_timeout: { key: "replyTimeoutMs", ...int },
  max_completed_connections: { key: "maxCompletedConnections", ...int },
  max_incomplete_connections: { key: "maxIncompleteConnections", ...int },
  max_connections_per_user: { key: "maxConnectionsPerUser", ...int },
  max_pending_service_starts: { key: "maxPendingServiceStarts", ...int },
  max_names_per_connection: { key: "maxNamesPerConnection", ...int },
  max_match_rules_per_connection: { key: "maxMatchRulesPerConnection", ...int },
  max_replies_per_connection: { key: "maxRepliesPerConnection", ...int },
  // App containers: dbus-daemon has them only in development builds, and reads the names in all.
  max_containers: { key: null, ...int },
  max_containers_per_user: { key: null, ...int },
  max_container_metadata_bytes: { key: null, ...int },
  max_connections_per_container: { key: null, ...int },
};

export type LimitResult =
  | { readonly problem: string }
  | {
      readonly problem: null;
      readonly key: keyof Limits | null;
      readonly value: number;
      readonly warning: string | null;
    };

/** Reads one limit. Numbers are what strtol(3) makes of them in base 0, as in dbus-daemon. */
export function parseLimit(name: string, text: string): LimitResult {
  const match = /^[ \t\n\v\f\r]*([+-]?)(?:(0[xX][0-9a-fA-F]+)|(0[0-7]*)|([1-9]\d*))/.exec(text);
  if (match === null) return { problem: "the value is not a whole number" };
  const [whole, sign, hexadecimal, octal, decimal] = match;
  const digits = (hexadecimal?.slice(2) ?? octal ?? decimal ?? "").replace(/^0+(?=.)/, "");
  const base = hexadecimal === undefined ? (octal === undefined ? "" : "0o") : "0x";
  const magnitude = BigInt(base + digits.slice(0, MANY_DIGITS));
  const value = sign === "-" ? -magnitude : magnitude;
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined) return { problem: `there is no limit called "${name}"` };
  if (value < 0n) return { problem: "the value must not be negative" };
  if (value > kind.maximum) return { problem: `the value is larger than ${kind.maximum}` };
  const rest = text.slice(whole.length);
  const warning = rest.trim() === "" ? null : `"${rest.trim()}" after the number is not read`;
  return { problem: null, key: kind.key, value: Math.min(Number(value), kind.most), warning };
}
