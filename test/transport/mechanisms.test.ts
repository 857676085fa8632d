/** DBUS_COOKIE_SHA1 and ANONYMOUS: the server's states, the client's, and both against each other. */

import { createHash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Cookie } from "../../transport/authentication/cookie.ts";
import { decodeHex, encodeHex } from "../../transport/authentication/external.ts";
import type { Handshake } from "../../transport/authentication/handshake.ts";
import { ClientNegotiation } from "../../transport/client-negotiation.ts";
import { MECHANISMS } from "../../transport/mechanism.ts";
import {
  ServerAuthentication,
  type ServerAuthenticationOptions,
} from "../../transport/server-authentication.ts";
import { Memory } from "../../wire/memory.ts";

const GUID = "0123456789abcdef0123456789abcdef";
const OPTIONS: ServerAuthenticationOptions = {
  guid: GUID,
  mechanisms: MECHANISMS,
  peerUserId: null,
  allowsDescriptors: true,
};
const ALL = "REJECTED EXTERNAL DBUS_COOKIE_SHA1 ANONYMOUS\r\n";
const COOKIE_AUTH = "AUTH DBUS_COOKIE_SHA1 31303030\r\n";
const CLIENT = {
  mechanisms: MECHANISMS,
  userId: 1000,
  wantsDescriptors: false,
  expectedGuid: null,
};

/** A cookie with this secret, of user 1000. */
function cookieOf(secret: string): Cookie {
  const proofOf = (server: string, client: string): string =>
    createHash("sha1").update(`${server}:${client}:${secret}`, "latin1").digest("hex");
  return { id: 7, userId: 1000, proofOf };
}

/** Feeds all that the handshake takes of `text`, and answers its requests for cookies. */
function play(handshake: Handshake, text: string, found: Cookie | string = "no cookies"): string {
  const memory = Memory.of(Buffer.from(text, "latin1"));
  let at = 0;
  while (at < text.length && !handshake.isDone) {
    const consumed = handshake.receive(memory, at, text.length);
    if (consumed < 0) break;
    at += consumed;
    if (handshake.cookieRequest !== null) handshake.proceed(found);
    else if (at < text.length && !handshake.isDone) throw new Error("it stopped for nothing");
  }
  return handshake.takeReply();
}

/** The server's challenge in "DATA hex". */
function challengeIn(reply: string): string {
  const [, hex = ""] = /DATA ([0-9a-f]+)\r\n/.exec(reply) ?? [];
  return (decodeHex(hex) ?? "").split(" ")[2] ?? "";
}

function proofLine(server: string, secret: string): string {
  return `DATA ${encodeHex(`mine ${cookieOf(secret).proofOf(server, "mine")}`)}\r\n`;
}

describe("DBUS_COOKIE_SHA1", () => {
  test("who knows the secret is the user whose cookie it is", () => {
    const server = new ServerAuthentication(OPTIONS);
    const reply = play(server, `\0${COOKIE_AUTH}`, cookieOf("ab"));
    expect(decodeHex(reply.slice(5, -2))).toMatch(/^org_freedesktop_general 7 [0-9a-f]{32}$/);
    expect(server).toMatchObject({ state: "proof", userId: null, mechanism: null });
    expect(play(server, proofLine(challengeIn(reply), "ab"))).toBe(`OK ${GUID}\r\n`);
    expect(server).toMatchObject({ userId: 1000, mechanism: "DBUS_COOKIE_SHA1" });
    play(server, "BEGIN\r\n");
    expect(server.isDone).toBe(true);
  });

  test("nothing is read until the cookie has been found, and then from there on", () => {
    const server = new ServerAuthentication(OPTIONS);
    const text = `\0${COOKIE_AUTH}CANCEL\r\n`;
    const memory = Memory.of(Buffer.from(text));
    expect(server.receive(memory, 0, text.length)).toBe(text.length - "CANCEL\r\n".length);
    expect(server.cookieRequest).toEqual({
      context: "org_freedesktop_general",
      id: null,
      user: "1000",
    });
    expect(server.receive(memory, text.length - 8, text.length)).toBe(0);
    expect(server.takeReply()).toBe("");
    server.proceed(cookieOf("ab"));
    expect(server.cookieRequest).toBeNull();
    expect(server.receive(memory, text.length - 8, text.length)).toBe(8);
    expect(server.takeReply()).toMatch(/^DATA [0-9a-f]+\r\nREJECTED EXTERNAL/);
  });

  test.each([
    ["another secret", (challenge: string) => proofLine(challenge, "ac")],
    ["the proof for another challenge", () => proofLine("0".repeat(32), "ab")],
    ["an empty proof", () => `DATA ${encodeHex("mine ")}\r\n`],
    ["a challenge alone", () => `DATA ${encodeHex("mine")}\r\n`],
    ["nothing", () => "DATA\r\n"],
    ["CANCEL", () => "CANCEL\r\n"],
    ["ERROR", () => "ERROR\r\n"],
  ])("%s is rejected, and another attempt has another challenge", (_, answer) => {
    const server = new ServerAuthentication(OPTIONS);
    const first = challengeIn(play(server, `\0${COOKIE_AUTH}`, cookieOf("ab")));
    expect(play(server, answer(first))).toBe(ALL);
    expect(server).toMatchObject({ state: "auth", userId: null });
    const second = challengeIn(play(server, COOKIE_AUTH, cookieOf("ab")));
    expect(second).not.toBe(first);
    // The answer to the first challenge proves nothing any more.
    expect(play(server, proofLine(first, "ab"))).toBe(ALL);
  });

  test("where there is no cookie the attempt is rejected, and the sixth ends it with the reason", () => {
    const server = new ServerAuthentication(OPTIONS);
    expect(play(server, `\0${COOKIE_AUTH.repeat(9)}`, "the keyring is gone")).toBe(ALL.repeat(6));
    expect(server.failure).toBe(
      "rejected 6 times, at last because it cannot be challenged: the keyring is gone",
    );
  });

  test("what is not hexadecimal is an error, and the challenge stays", () => {
    const server = new ServerAuthentication(OPTIONS);
    const challenge = challengeIn(play(server, `\0${COOKIE_AUTH}`, cookieOf("ab")));
    expect(play(server, "DATA xyz\r\n")).toBe('ERROR "Invalid hex encoding"\r\n');
    expect(play(server, proofLine(challenge, "ab"))).toBe(`OK ${GUID}\r\n`);
  });

  test("BEGIN instead of an answer ends the connection", () => {
    const server = new ServerAuthentication(OPTIONS);
    play(server, `\0${COOKIE_AUTH}BEGIN\r\n`, cookieOf("ab"));
    expect(server.state).toBe("failed");
  });

  test("a snapshot has no secret: whoever was challenged is rejected after it", () => {
    const server = new ServerAuthentication(OPTIONS);
    const challenge = challengeIn(play(server, `\0${COOKIE_AUTH}`, cookieOf("ab")));
    const record = JSON.stringify(server.snapshot());
    expect(record).not.toContain(challenge);
    const restored = ServerAuthentication.restore(JSON.parse(record));
    expect(play(restored, proofLine(challenge, "ab"))).toBe(ALL);
    expect(play(restored, COOKIE_AUTH, cookieOf("ab"))).toMatch(/^DATA/);
  });

  test("whoever waits for a cookie when a snapshot is taken is rejected, here and there", () => {
    const server = new ServerAuthentication(OPTIONS);
    const text = `\0${COOKIE_AUTH}`;
    server.receive(Memory.of(Buffer.from(text)), 0, text.length);
    const restored = ServerAuthentication.restore(JSON.parse(JSON.stringify(server.snapshot())));
    server.proceed(cookieOf("ab"));
    for (const each of [server, restored]) {
      expect(each.takeReply()).toBe(ALL);
      expect(each).toMatchObject({ state: "auth", cookieRequest: null });
    }
  });
});

describe("ANONYMOUS", () => {
  test.each(["", "6f6e65686f70", "c3a9", "610a"])("lets in nobody who says %j", (trace) => {
    const server = new ServerAuthentication({ ...OPTIONS, peerUserId: 1000 });
    expect(play(server, `\0AUTH ANONYMOUS ${trace}\r\n`)).toBe(`OK ${GUID}\r\n`);
    expect(server).toMatchObject({ mechanism: "ANONYMOUS", userId: null });
  });

  test.each(["ff", "00", "6100"])("what is no text is rejected: %s", (trace) => {
    const server = new ServerAuthentication(OPTIONS);
    expect(play(server, `\0AUTH ANONYMOUS ${trace}\r\n`)).toBe(ALL);
  });

  test("who was anonymous may start over as somebody", () => {
    const server = new ServerAuthentication({ ...OPTIONS, peerUserId: 1000 });
    const text = "\0AUTH ANONYMOUS\r\nCANCEL\r\nAUTH EXTERNAL 31303030\r\nBEGIN\r\n";
    play(server, text);
    expect(server).toMatchObject({ isDone: true, mechanism: "EXTERNAL", userId: 1000 });
  });
});

/** Lets both talk until neither has anything to say. */
function converse(
  client: ClientNegotiation,
  server: ServerAuthentication,
  clients: Cookie | string,
  servers: Cookie | string,
): void {
  let fromClient = client.takeReply();
  for (let turn = 0; turn < 20 && fromClient !== ""; turn++) {
    fromClient = play(client, play(server, fromClient, servers), clients);
  }
}

describe("our client and our server", () => {
  test.each([true, false])("agree on a cookie, descriptors: %s", (wantsDescriptors) => {
    const client = new ClientNegotiation({ ...CLIENT, wantsDescriptors });
    const server = new ServerAuthentication(OPTIONS);
    converse(client, server, cookieOf("ab"), cookieOf("ab"));
    const common = { isDone: true, descriptorsNegotiated: wantsDescriptors };
    expect(client).toMatchObject({ ...common, guid: GUID, failure: "" });
    expect(server).toMatchObject({ ...common, mechanism: "DBUS_COOKIE_SHA1", userId: 1000 });
  });

  test.each<[what: string, clients: Cookie | string, servers: Cookie | string]>([
    ["the client cannot find the cookie", "it is gone", cookieOf("ab")],
    ["the server has none", cookieOf("ab"), "it is gone"],
    ["their secrets differ", cookieOf("ab"), cookieOf("cd")],
  ])("fall back to ANONYMOUS where %s", (_, clients, servers) => {
    const client = new ClientNegotiation(CLIENT);
    const server = new ServerAuthentication(OPTIONS);
    converse(client, server, clients, servers);
    expect(client).toMatchObject({ isDone: true, failure: "" });
    expect(server).toMatchObject({ isDone: true, mechanism: "ANONYMOUS", userId: null });
  });

  test("give up when nothing is left, and the client says what became of each", () => {
    const client = new ClientNegotiation({
      ...CLIENT,
      mechanisms: ["EXTERNAL", "DBUS_COOKIE_SHA1"],
    });
    const server = new ServerAuthentication(OPTIONS);
    converse(client, server, "it is gone", cookieOf("ab"));
    expect(client.isDone).toBe(false);
    expect(client.failure).toBe(
      'EXTERNAL was rejected, it is gone, DBUS_COOKIE_SHA1 was rejected; the server offers "EXTERNAL DBUS_COOKIE_SHA1 ANONYMOUS"',
    );
  });

  test("only what the server offers is tried", () => {
    const client = new ClientNegotiation(CLIENT);
    expect(client.takeReply()).toBe("\0AUTH EXTERNAL 31303030\r\n");
    expect(play(client, "REJECTED ANONYMOUS\r\n")).toBe("AUTH ANONYMOUS 6f6e65686f70\r\n");
    expect(play(client, "REJECTED ANONYMOUS\r\n")).toBe("");
    expect(client.failure).toContain('the server offers "ANONYMOUS"');
  });
});

describe("the client", () => {
  test.each([
    ["OK 1234\r\n", 'GUID is "1234"'],
    [`OK ${"f".repeat(32)}\r\n`, "its address says"],
    ["ERROR\r\n", 'answered "ERROR"'],
    ["DATA\r\n", 'answered "DATA"'],
    ["\xff\r\n", "answered"],
    ["AGREE_UNIX_FD\r\n", "answered"],
    ["x".repeat(17_000), "more than 16384 bytes"],
  ])("gives up on %j", (text, reason) => {
    const client = new ClientNegotiation({ ...CLIENT, expectedGuid: GUID });
    client.takeReply();
    expect(play(client, text)).toBe("");
    expect(client.failure).toContain(reason);
  });

  test.each([
    "",
    "zz",
    encodeHex("org_freedesktop_general 7"),
    encodeHex("../../etc/passwd 7 abcd"),
    encodeHex(". 7 abcd"),
    encodeHex("general -7 abcd"),
  ])("cancels what is no challenge, %j, and asks for no file", (argument) => {
    const client = new ClientNegotiation({ ...CLIENT, mechanisms: ["DBUS_COOKIE_SHA1"] });
    client.takeReply();
    expect(play(client, `DATA ${argument}\r\n`, cookieOf("ab"))).toBe("CANCEL\r\n");
    expect(client.cookieRequest).toBeNull();
  });

  test("answers one challenge for each attempt", () => {
    const client = new ClientNegotiation({ ...CLIENT, mechanisms: ["DBUS_COOKIE_SHA1"] });
    client.takeReply();
    const challenge = `DATA ${encodeHex("general 7 abcd")}\r\n`;
    expect(play(client, challenge, cookieOf("ab"))).toMatch(/^DATA [0-9a-f]{146}\r\n$/);
    expect(play(client, challenge, cookieOf("ab"))).toBe("CANCEL\r\n");
  });

  test("survives any server, in any pieces, and is never done without OK and the GUID", () => {
    const words = fc.constantFrom(
      ..."DATA,OK,REJECTED,ERROR,AGREE_UNIX_FD,EXTERNAL,DBUS_COOKIE_SHA1,ANONYMOUS, ,\r\n,\r,\n,\0,\xe9".split(
        ",",
      ),
      GUID,
      encodeHex("general 7 abcd"),
    );
    const answers = fc.array(words, { maxLength: 40 }).map((each) => each.join(""));
    fc.assert(
      fc.property(answers, fc.boolean(), (text, wantsDescriptors) => {
        const options = { ...CLIENT, wantsDescriptors, expectedGuid: GUID };
        const whole = new ClientNegotiation(options);
        const pieces = new ClientNegotiation(options);
        play(whole, text, "none");
        for (const character of text) play(pieces, character, "none");
        expect([pieces.isDone, pieces.failure]).toEqual([whole.isDone, whole.failure]);
        if (whole.isDone) expect(text).toMatch(new RegExp(`OK[ \\t]+${GUID}`));
      }),
    );
  });
});
