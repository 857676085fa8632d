/**
 * The cookies of the user that this process runs as: the files in ~/.dbus-keyrings.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#auth-mechanisms-sha
 *
 * As in dbus-daemon since 1.12.16 a server vouches for nobody but its own user by this mechanism, so no
 * other user's home is ever entered. Reading is done by the threads of Node: a home on a slow disk,
 * or a lock that somebody holds, keeps those waiting who want to authenticate this way and nobody else.
 */

import { homedir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { randomBytes, randomWord } from "../wire/random.ts";
import {
  type Cookie,
  type CookieRequest,
  type FindCookie,
  isContext,
} from "./authentication/cookie.ts";
import { userIdOf } from "./authentication/external.ts";
import {
  formatKeyring,
  freshCookie,
  MAX_COOKIES,
  parseKeyring,
  type StoredCookie,
} from "./authentication/keyring-file.ts";
import { PrivateDirectory, PrivateFileError } from "./authentication/private-file.ts";

const DIRECTORY = ".dbus-keyrings";
/** A full file has less than half of this. */
const MAX_FILE_BYTES = 65536;
const SECRET_BYTES = 24;
/** A lock that is there this often, this long apart, was left behind: eight seconds, as in libdbus. */
const LOCK_LOOKS = 32;
const LOCK_LOOK_MS = 250;

export interface KeyringOptions {
  /** Where the keyrings' directory lies. Default: $HOME, or the home of our user's account. */
  readonly home?: () => string;
  /** Seconds since 1970. */
  readonly now?: () => number;
  /** Takes a line for each new trouble with the files. */
  readonly log?: (line: string) => void;
  /** Waits before a lock is looked at again. */
  readonly wait?: (ms: number) => Promise<void>;
}

export class Keyring {
  readonly #home: () => string;
  readonly #now: () => number;
  readonly #log: (line: string) => void;
  readonly #wait: (ms: number) => Promise<void>;
  /** Look-ups that are under way, by what they look for: any number of peers cost one. */
  readonly #lookups: Map<string, Promise<Cookie | string>> = new Map();
  #lastTrouble = "";

  constructor(options: KeyringOptions = {}) {
    this.#home = options.home ?? ((): string => process.env["HOME"] ?? homedir());
    this.#now = options.now ?? (() => Math.floor(Date.now() / 1000));
    this.#log = options.log ?? (() => {});
    this.#wait = options.wait ?? ((ms) => delay(ms, undefined, { ref: false }));
  }

  readonly find: FindCookie = (request, found) => {
    if (!isContext(request.context)) {
      queueMicrotask(() => found("that is no name of a keyring"));
      return;
    }
    if (request.user !== null && !isOurs(request.user)) {
      queueMicrotask(() => found("only the user that runs the bus has cookies here"));
      return;
    }
    void this.#lookup(request).then(found);
  };

  #lookup(request: CookieRequest): Promise<Cookie | string> {
    const key = `${request.context} ${request.id ?? "fresh"}`;
    const underWay = this.#lookups.get(key);
    if (underWay !== undefined) return underWay;
    const lookup = this.#search(request).finally(() => this.#lookups.delete(key));
    this.#lookups.set(key, lookup);
    return lookup;
  }

  async #search({ context, id }: CookieRequest): Promise<Cookie | string> {
    try {
      const stored = await this.#stored(context, id);
      if (stored === null) return `there is no cookie ${id} in the keyring ${context}`;
      // Costs 8 ms when it is loaded first, which a bus without cookies need not pay.
      const { createHash } = await import("node:crypto");
      return {
        id: stored.id,
        userId: process.geteuid?.() ?? -1,
        proofOf: (server, client) =>
          createHash("sha1").update(`${server}:${client}:${stored.secret}`, "latin1").digest("hex"),
      };
    } catch (error) {
      if (!(error instanceof PrivateFileError)) throw error;
      if (id === null) this.#tell(error.message);
      return error.message;
    }
  }

  async #stored(context: string, id: number | null): Promise<StoredCookie | null> {
    const home = this.#home();
    if (!isAbsolute(home)) throw new PrivateFileError(`our home "${home}" is no absolute path`);
    const directory = await PrivateDirectory.open(join(home, DIRECTORY), id === null);
    try {
      const cookies = await this.#cookiesOf(directory, context);
      if (id !== null) return cookies.find((cookie) => cookie.id === id) ?? null;
      return freshCookie(cookies, this.#now()) ?? (await this.#renewed(directory, context));
    } finally {
      await directory.close();
    }
  }

  /** A cookie that is fresh: one that another server has just made, or a new one. */
  async #renewed(directory: PrivateDirectory, context: string): Promise<StoredCookie> {
    const lock = `${context}.lock`;
    await this.#takeLock(directory, lock);
    try {
      const cookies = await this.#cookiesOf(directory, context);
      const fresh = freshCookie(cookies, this.#now());
      if (fresh !== null) return fresh;
      const made = this.#newCookie(cookies);
      const kept = cookies.slice(-(MAX_COOKIES - 1));
      await directory.replace(context, formatKeyring([...kept, made]));
      return made;
    } finally {
      await directory.remove(lock);
    }
  }

  async #takeLock(directory: PrivateDirectory, lock: string): Promise<void> {
    for (let look = 0; look < LOCK_LOOKS; look++) {
      if (await directory.claim(lock)) return;
      await this.#wait(LOCK_LOOK_MS);
    }
    this.#tell(`${directory.path}/${lock} was left behind: removed`);
    await directory.remove(lock);
    if (await directory.claim(lock)) return;
    throw new PrivateFileError(`${directory.path}/${lock} is held by others`);
  }

  async #cookiesOf(directory: PrivateDirectory, context: string): Promise<StoredCookie[]> {
    const text = await directory.read(context, MAX_FILE_BYTES);
    return text === null ? [] : parseKeyring(text, this.#now());
  }

  #newCookie(others: readonly StoredCookie[]): StoredCookie {
    const isTaken = (id: number): boolean => others.some((other) => other.id === id);
    let id = randomWord() >>> 1;
    while (isTaken(id)) id = randomWord() >>> 1;
    const secret = Buffer.from(randomBytes(SECRET_BYTES)).toString("hex");
    return { id, createdSeconds: this.#now(), secret };
  }

  /** Any peer can bring the same trouble about again: it is told once, until there is another one. */
  #tell(line: string): void {
    if (line === this.#lastTrouble) return;
    this.#lastTrouble = line;
    this.#log(line);
  }
}

/** Does an identity, a number as EXTERNAL has it or a name, mean the user that this process runs as? */
function isOurs(identity: string): boolean {
  if (identity === "") return false;
  if (userIdOf(identity) === process.geteuid?.()) return true;
  try {
    // The account of our own user, and no other: nobody can make us look up any name.
    return Buffer.from(identity, "latin1").toString() === userInfo().username;
  } catch {
    // We may run as a number without an account.
    return false;
  }
}
