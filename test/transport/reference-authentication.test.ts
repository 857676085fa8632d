/** Plays every script at dbus-daemon and at our machines, and compares what comes back. */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Cookie } from "../../transport/authentication/cookie.ts";
import { userIdOf } from "../../transport/authentication/external.ts";
import { ClientAuthentication } from "../../transport/client-authentication.ts";
import { MECHANISMS, type Mechanism } from "../../transport/mechanism.ts";
import { ServerAuthentication } from "../../transport/server-authentication.ts";
import { Memory } from "../../wire/memory.ts";
import { authenticationScripts, mechanismScripts } from "./authentication-scripts.ts";
import { hasReferenceDaemon, ReferenceDaemon } from "./reference-daemon.ts";

/** What a server did with a script. */
interface Outcome {
  readonly replies: string;
  /** Still talking, closed by the server, or past BEGIN. */
  readonly end: "open" | "closed" | "messages";
}

/** Answered in every state before BEGIN; ends the connection after it. Not ASCII, so it has its own answer. */
const FENCE = Buffer.from("\xff\r\n", "latin1");
const FENCE_ANSWER = 'ERROR "Command contained non-ASCII"\r\n';

const userId = process.getuid?.() ?? 0;
/** A cookie that no answer is right for. */
const COOKIE: Cookie = { id: 1_000_000_000, userId, proofOf: () => "" };
/** A call of org.freedesktop.DBus.Hello. */
const HELLO: Buffer = helloCall();

const isThere = hasReferenceDaemon("comparison of the handshake with dbus-daemon");

test("every script has a name of its own", () => {
  for (const scripts of [authenticationScripts(userId), mechanismScripts(userId)]) {
    const names = scripts.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  }
});

// Left out as a whole, and `hasReferenceDaemon` says why, where there is no dbus-daemon.
if (isThere) compareWithDaemon();

function compareWithDaemon(): void {
  describe("dbus-daemon with every mechanism", () => {
    let daemon: ReferenceDaemon;

    beforeAll(async () => {
      daemon = await ReferenceDaemon.start(undefined, MECHANISMS);
    });

    afterAll(async () => {
      await daemon.stop();
    });

    test.each(mechanismScripts(userId).map(({ name, input }): [string, Buffer] => [name, input]))(
      "answers as we do: %s",
      async (_, input) => {
        const ours = playHere(input, daemon.guid, MECHANISMS);
        const theirs = await playThere(input, daemon.socketPath, ours.end === "messages");
        expect(withoutChallenges(ours)).toEqual(withoutChallenges(theirs));
      },
    );
  });

  describe("dbus-daemon", () => {
    let daemon: ReferenceDaemon;

    beforeAll(async () => {
      daemon = await ReferenceDaemon.start();
    });

    afterAll(async () => {
      await daemon.stop();
    });

    test.each(
      authenticationScripts(userId).map(({ name, input }): [string, Buffer] => [name, input]),
    )("answers as we do: %s", async (_, input) => {
      const ours = playHere(input, daemon.guid);
      expect(ours).toEqual(await playThere(input, daemon.socketPath, ours.end === "messages"));
    });

    test.each([userId, null])(
      "is content with our client, which claims user %p",
      async (claimed) => {
        const client = new ClientAuthentication({
          userId: claimed,
          wantsDescriptors: true,
          expectedGuid: daemon.guid,
        });
        const { replies } = await playThere(
          Buffer.from(client.start(), "latin1"),
          daemon.socketPath,
          true,
        );
        expect(client.receive(Memory.of(Buffer.from(replies)), 0, replies.length)).toBe(
          replies.length,
        );
        expect(client).toMatchObject({
          isDone: true,
          guid: daemon.guid,
          descriptorsNegotiated: true,
        });
      },
    );

    test("rejects a user whom the client is not, and the client says so", async () => {
      const client = new ClientAuthentication({
        userId: userId + 1,
        wantsDescriptors: true,
        expectedGuid: null,
      });
      const { replies, end } = await playThere(
        Buffer.from(client.start(), "latin1"),
        daemon.socketPath,
        false,
      );
      expect(end).toBe("closed");
      expect(client.receive(Memory.of(Buffer.from(replies)), 0, replies.length)).toBe(-1);
      expect(client.failure).toContain('it offers "EXTERNAL"');
    });
  });
}

/** What our machine does; the fence follows as at the daemon, since it may complete a line. */
function playHere(
  input: Buffer,
  guid: string,
  mechanisms: readonly Mechanism[] = ["EXTERNAL"],
): Outcome {
  const authentication = new ServerAuthentication({
    guid,
    mechanisms,
    peerUserId: userId,
    allowsDescriptors: true,
  });
  const all = Buffer.concat([input, FENCE]);
  let consumed = authentication.receive(Memory.of(all), 0, all.length);
  while (authentication.cookieRequest !== null) {
    const isOurs = userIdOf(authentication.cookieRequest.user ?? "") === userId;
    authentication.proceed(isOurs ? COOKIE : "it is somebody else's");
    const more = authentication.receive(Memory.of(all), consumed, all.length);
    consumed = more < 0 ? more : consumed + more;
  }
  const replies = authentication.takeReply();
  if (consumed < 0) return { replies, end: "closed" };
  if (authentication.isDone) return { replies, end: "messages" };
  expect(replies.endsWith(FENCE_ANSWER)).toBe(true);
  return { replies, end: "open" };
}

/** The same with every challenge taken out: no two are alike. */
function withoutChallenges({ replies, end }: Outcome): Outcome {
  return { replies: replies.replace(/DATA [0-9a-f]{80,}/g, "DATA challenge"), end };
}

/** What the daemon does with the input and then a fence, or Hello where messages are expected. */
function playThere(input: Buffer, path: string, expectsMessages: boolean): Promise<Outcome> {
  const all = Buffer.concat([input, expectsMessages ? HELLO : FENCE]);
  const fenceAnswers = all.toString("latin1").split("\r\n").filter(isNotPlain).length;
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = "";
    const finish = (end: Outcome["end"]): void => {
      socket.destroy();
      // Behind the handshake comes the reply to Hello: a little-endian method return.
      resolve({ replies: end === "messages" ? (text.split("l\x02")[0] ?? "") : text, end });
    };
    socket.write(all);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (expectsMessages && text.includes("l\x02")) finish("messages");
      else if (!expectsMessages && text.split(FENCE_ANSWER).length > fenceAnswers) finish("open");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // The daemon closes with our bytes unread, which makes the kernel reset the connection.
      if (error.code === "ECONNRESET" || error.code === "EPIPE") finish("closed");
      else reject(error);
    });
    socket.on("end", () => finish("closed"));
  });
}

/** Has a line a byte that is NUL (behind the first one of all) or not ASCII? */
function isNotPlain(line: string, index: number): boolean {
  for (let i = index === 0 ? 1 : 0; i < line.length; i++) {
    const code = line.charCodeAt(i);
    if (code === 0 || code > 0x7f) return true;
  }
  return false;
}

function helloCall(): Buffer {
  const field = (code: number, signature: string, value: string): Buffer => {
    const bytes = Buffer.alloc((8 + value.length + 1 + 7) & ~7);
    bytes.write(`${String.fromCharCode(code)}\x01${signature}\0`, "latin1");
    bytes.writeUInt32LE(value.length, 4);
    bytes.write(value, 8, "latin1");
    return bytes;
  };
  const fields = Buffer.concat([
    field(1, "o", "/org/freedesktop/DBus"),
    field(2, "s", "org.freedesktop.DBus"),
    field(6, "s", "org.freedesktop.DBus"),
    field(3, "s", "Hello"),
  ]);
  const start = Buffer.alloc(16);
  start.write("l\x01\0\x01", "latin1");
  start.writeUInt32LE(1, 8);
  // The padding behind the last field belongs to the header, not to the array of fields.
  start.writeUInt32LE(fields.length - 2, 12);
  return Buffer.concat([start, fields]);
}
