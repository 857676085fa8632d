/**
 * What the mechanism DBUS_COOKIE_SHA1 says: who can read a secret from a file of the user proves it
 * without telling the secret.
 *
 *     client: AUTH DBUS_COOKIE_SHA1 hex(user)
 *     server: DATA hex("context id server-challenge")
 *     client: DATA hex("client-challenge proof")     proof = SHA-1 of "server:client:secret", in hexadecimal
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#auth-mechanisms-sha
 */

import { randomBytes } from "../../wire/random.ts";

/** A secret of a keyring that is never told, only used. */
export interface Cookie {
  /** Its number in the keyring file. */
  readonly id: number;
  /** Whose keyring that is: the user whom a proof makes sure of. */
  readonly userId: number;
  /** The proof of knowing it: 40 lower-case hexadecimal digits. Challenges are a character for each byte. */
  readonly proofOf: (serverChallenge: string, clientChallenge: string) => string;
}

/** Which cookie of whose keyring. */
export interface CookieRequest {
  /** The keyring file's name. */
  readonly context: string;
  /** The cookie that a server has named to its client; null: any with which a server may challenge now. */
  readonly id: number | null;
  /** The user who has to own the keyring, by number or name, a character for each byte; null: us. */
  readonly user: string | null;
}

/** Looks a cookie up and tells it, or in words why there is none, once and never before it has returned. */
export type FindCookie = (request: CookieRequest, found: (cookie: Cookie | string) => void) => void;

/** The context of servers that have no reason to choose another one: dbus-daemon's. */
export const SERVER_CONTEXT = "org_freedesktop_general";

const CHALLENGE_BYTES = 16;
const MAX_ID = 0x7fff_ffff;

/** A number used once that nobody can foretell, as 32 hexadecimal digits. */
export function newChallenge(): string {
  return Buffer.from(randomBytes(CHALLENGE_BYTES)).toString("hex");
}

/** May this be the name of a keyring file? Nothing that leads elsewhere in the file system may. */
export function isContext(text: string): boolean {
  // Besides what the specification forbids, every byte that is not printable ASCII, as libdbus.
  return /^[!-~]+$/.test(text) && !/[/\\.]/.test(text);
}

/** A server's challenge, or null if the text is none: "context id challenge". */
export function parseChallenge(
  text: string,
): { readonly request: CookieRequest; readonly challenge: string } | null {
  const [, context = "", idText = "", challenge = ""] =
    /^([^ \t]+)[ \t]+([0-9]{1,10})[ \t]+([^ \t]+)$/.exec(text) ?? [];
  const id = Number(idText);
  if (challenge === "" || !isContext(context) || id > MAX_ID) return null;
  return { request: { context, id, user: null }, challenge };
}

/**
 * A client's answer, or null if the text is none: a challenge, blanks, a proof.
 *
 * As by dbus-daemon 1.14 a challenge may be of any bytes but blanks.
 */
export function parseAnswer(
  text: string,
): { readonly challenge: string; readonly proof: string } | null {
  const match = /^([^ \t]+)[ \t]+([^ \t]+)$/s.exec(text);
  const [, challenge = "", proof = ""] = match ?? [];
  return match === null ? null : { challenge, proof };
}

/** Are two proofs the same? Takes as long for one that is nearly right as for one that is all wrong. */
export function isSameProof(given: string, expected: string): boolean {
  if (given.length !== expected.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    difference |= given.charCodeAt(i) ^ expected.charCodeAt(i);
  }
  return difference === 0;
}

/** The server's half of one exchange: a challenge, and whom an answer to it makes sure of. */
export class CookieExchange {
  readonly #cookie: Cookie;
  readonly #challenge: string = newChallenge();

  constructor(cookie: Cookie) {
    this.#cookie = cookie;
  }

  /** "context id challenge" */
  get challengeText(): string {
    return `${SERVER_CONTEXT} ${this.#cookie.id} ${this.#challenge}`;
  }

  /** The user whom this answer proves, or null if it proves nothing. */
  userOf(answerText: string): number | null {
    const answer = parseAnswer(answerText);
    if (answer === null) return null;
    const expected = this.#cookie.proofOf(this.#challenge, answer.challenge);
    return isSameProof(answer.proof, expected) ? this.#cookie.userId : null;
  }
}
