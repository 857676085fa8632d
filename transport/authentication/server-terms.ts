/** What a server's handshake is told when it begins, and what it is as plain data. */

import type { Mechanism } from "../mechanism.ts";

/** Where a handshake stands: what it waits for, or how it ended. */
export type ServerAuthenticationState =
  | "credentials"
  | "auth"
  | "data"
  | "cookie"
  | "proof"
  | "begin"
  | "done"
  | "failed";

export interface ServerAuthenticationOptions {
  /** 32 hexadecimal digits, sent with OK. */
  readonly guid: string;
  /** Those that are accepted, as REJECTED lists them. */
  readonly mechanisms: readonly Mechanism[];
  /** The peer's user as the kernel tells it, or null if nobody vouches for the peer. */
  readonly peerUserId: number | null;
  /** May NEGOTIATE_UNIX_FD be agreed to? */
  readonly allowsDescriptors: boolean;
  /** The longest line with its CR LF, and the most bytes of replies that may wait; 16384. */
  readonly maxLineBytes?: number;
  /** The handshake fails when it has said REJECTED this often; 6. */
  readonly maxRejections?: number;
}

/** Everything a handshake is, as plain data that survives JSON. */
export interface ServerAuthenticationRecord extends Required<ServerAuthenticationOptions> {
  readonly state: ServerAuthenticationState;
  readonly rejections: number;
  readonly mechanism: Mechanism | null;
  readonly userId: number | null;
  readonly descriptorsNegotiated: boolean;
  readonly failure: string;
  /** The beginning of a line, a character for each byte. */
  readonly partialLine: string;
  readonly reply: string;
}

/** What dbus-daemon buffers of a line, or of answers, before it gives up on a peer. */
const MAX_LINE_BYTES = 16384;
/** How often dbus-daemon says REJECTED: with the sixth it disconnects. */
const MAX_REJECTIONS = 6;

/** The options with their defaults, and nothing else that a record has. */
export function termsOf(
  options: ServerAuthenticationOptions,
): Required<ServerAuthenticationOptions> {
  return {
    guid: options.guid,
    mechanisms: options.mechanisms,
    peerUserId: options.peerUserId,
    allowsDescriptors: options.allowsDescriptors,
    maxLineBytes: options.maxLineBytes ?? MAX_LINE_BYTES,
    maxRejections: options.maxRejections ?? MAX_REJECTIONS,
  };
}
