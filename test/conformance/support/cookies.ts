/** DBUS_COOKIE_SHA1 as a client does it by hand, in a home of the suite's own. */

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Arrival, Client } from "./client.ts";

const CONTEXT = "org_freedesktop_general";
const uid = String(process.getuid?.() ?? 0);

/** What the bus says when it challenges. */
export interface Challenge {
  readonly context: string;
  readonly id: string;
  readonly text: string;
}

/** A home directory and the cookies in it. */
export class CookieHome {
  readonly path: string = mkdtempSync(join(tmpdir(), "conformance-home-"));

  /** For the bus. */
  get environment(): Readonly<Record<string, string>> {
    return { HOME: this.path };
  }

  get directory(): string {
    return join(this.path, ".dbus-keyrings");
  }

  get file(): string {
    return join(this.directory, CONTEXT);
  }

  /** Id, seconds and secret of each cookie. */
  get cookies(): readonly (readonly string[])[] {
    return readFileSync(this.file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" "));
  }

  /** A cookie that another bus has made so many seconds ago, and no other. */
  leave(id: number, ageSeconds: number): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const seconds = Math.floor(Date.now() / 1000) - ageSeconds;
    writeFileSync(this.file, `${id} ${seconds} ${"ab".repeat(24)}\n`, { mode: 0o600 });
  }

  /** The right answer to a challenge. */
  answerTo({ id, text }: Challenge, challenge = "mine"): string {
    const [, , secret = ""] = this.cookies.find((cookie) => cookie[0] === id) ?? [];
    return `${challenge} ${createHash("sha1").update(`${text}:${challenge}:${secret}`).digest("hex")}`;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function hex(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}

export const COOKIE_AUTH: string = `AUTH DBUS_COOKIE_SHA1 ${hex(uid)}\r\n`;

/** Asks for a challenge; the client has said its zero byte. */
export async function challengeFor(client: Client): Promise<Challenge> {
  client.sendText(COOKIE_AUTH);
  const [, data = ""] = await client.expectLine(/^DATA ([0-9a-f]+)$/);
  const [context = "", id = "", text = ""] = Buffer.from(data, "hex").toString().split(" ");
  return { context, id, text };
}

/** Authenticates with the cookie and says Hello. */
export async function joinByCookie(client: Client, home: CookieHome): Promise<void> {
  client.sendText("\0");
  const challenge = await challengeFor(client);
  client.sendText(`DATA ${hex(home.answerTo(challenge))}\r\n`);
  await client.expectLine(/^OK [0-9a-f]{32}$/);
  client.sendText("BEGIN\r\n");
  client.startMessages();
  await client.hello();
}

/** The keys of a reply's dictionary. */
export function keysOf(reply: Arrival): string[] {
  const [entries] = reply.arguments;
  if (!Array.isArray(entries)) throw new Error("the reply has no dictionary");
  return entries.map(([key]) => String(key)).sort();
}
