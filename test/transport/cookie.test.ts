/** The texts of DBUS_COOKIE_SHA1, and a whole exchange between our client and our server without a file. */

import { createHash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type Cookie,
  CookieExchange,
  isContext,
  isSameProof,
  newChallenge,
  parseAnswer,
  parseChallenge,
} from "../../transport/authentication/cookie.ts";
import { encodeHex } from "../../transport/authentication/external.ts";
import { formatKeyring, parseKeyring } from "../../transport/authentication/keyring-file.ts";
import { NonceGate } from "../../transport/listening/nonce.ts";

const NOW = 1_800_000_000;

function cookieOf(secret: string): Cookie {
  return {
    id: 7,
    userId: 1000,
    proofOf: (server, client) => sha1(`${server}:${client}:${secret}`),
  };
}

function sha1(text: string): string {
  return createHash("sha1").update(text, "latin1").digest("hex");
}

test("two proofs are the same if they are equal", () => {
  const proof = fc.string({ unit: fc.constantFrom("0", "1", "a", "\xe1"), maxLength: 4 });
  fc.assert(
    fc.property(proof, proof, (one, other) => {
      expect(isSameProof(one, other)).toBe(one === other);
    }),
  );
});

test("challenges are new each time", () => {
  const challenges = Array.from({ length: 100 }, newChallenge);
  expect(new Set(challenges).size).toBe(100);
  for (const challenge of challenges) expect(challenge).toMatch(/^[0-9a-f]{32}$/);
});

test("contexts are names of files, and of nothing else", () => {
  for (const context of ["org_freedesktop_general", "a", "~", "a-b"]) {
    expect(isContext(context)).toBe(true);
  }
  for (const context of [
    "",
    ".",
    "..",
    "a.b",
    "a/b",
    "a\\b",
    "a b",
    "a\tb",
    "a\n",
    "\x7f",
    "\xe9",
  ]) {
    expect(isContext(context)).toBe(false);
  }
});

test("a challenge has three parts", () => {
  expect(parseChallenge("ctx 12 abc")).toEqual({
    request: { context: "ctx", id: 12, user: null },
    challenge: "abc",
  });
  const bad = ["", "ctx", "ctx 12", "ctx 12 ", "ctx x abc", "ctx -1 abc", " ctx 12 abc"];
  for (const text of [...bad, "../x 12 abc", "ctx 2147483648 abc", "ctx 12 abc d", "ctx 1e3 abc"]) {
    expect(parseChallenge(text)).toBeNull();
  }
});

describe("the server's half", () => {
  const exchange = new CookieExchange(cookieOf("abcd"));
  const [context, id, challenge = ""] = exchange.challengeText.split(" ");
  const right = sha1(`${challenge}:mine:abcd`);

  test("names the cookie and challenges", () => {
    expect([context, id]).toEqual(["org_freedesktop_general", "7"]);
    expect(exchange.userOf(`mine ${right}`)).toBe(1000);
    expect(exchange.userOf(`mine \t ${right}`)).toBe(1000);
  });

  test.each([
    ["nothing", ""],
    ["no proof", "mine"],
    ["an empty proof", "mine "],
    ["no challenge", ` ${right}`],
    ["the proof alone", right],
    ["half a proof", `mine ${right.slice(0, 20)}`],
    ["more than a proof", `mine ${right}0`],
    ["capitals", `mine ${right.toUpperCase()}`],
    ["a blank behind", `mine ${right} `],
    ["a line behind", `mine ${right}\n`],
    ["the proof for another challenge", `yours ${right}`],
    ["the secret", "mine abcd"],
    ["the server's own challenge", `${challenge} ${challenge}`],
  ])("is not content with %s", (_, answer) => {
    expect(exchange.userOf(answer)).toBeNull();
  });

  test("is not content with anything that was not made with the cookie", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), (answer) => {
        expect(exchange.userOf(answer)).toBeNull();
        expect(parseAnswer(answer) === null || /^[^ \t]/.test(answer)).toBe(true);
      }),
    );
  });
});

test("a keyring file is read as it was written, whatever is between", () => {
  const cookie = fc.record({
    id: fc.nat(0x7fff_ffff),
    createdSeconds: fc.integer({ min: NOW - 420, max: NOW + 300 }),
    secret: fc
      .uint8Array({ minLength: 1, maxLength: 24 })
      .map((bytes) => Buffer.from(bytes).toString("hex")),
  });
  const cookies = fc.uniqueArray(cookie, { maxLength: 20, selector: ({ id }) => id });
  const junk = fc.string({ unit: "binary-ascii" }).map((text) => `#${text.replaceAll("\n", "")}\n`);
  fc.assert(
    fc.property(cookies, junk, (written, between) => {
      const text = written.map((each) => formatKeyring([each])).join(between);
      expect(parseKeyring(text, NOW)).toEqual(written);
    }),
  );
});

test("any text is a keyring of at most 256 cookies", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), fc.nat(400), (text, count) => {
      const lines = Array.from({ length: count }, (_, id) => `${id} ${NOW} ab`).join("\n");
      expect(parseKeyring(`${text}\n${lines}`, NOW).length).toBeLessThanOrEqual(256);
    }),
  );
});

test("bytes pass behind the nonce, in whatever pieces it comes, and never behind another one", () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const cuts = fc.array(fc.nat(20), { maxLength: 5 });
  fc.assert(
    fc.property(bytes, fc.option(bytes, { nil: null }), cuts, (nonce, other, at) => {
      const sent = Buffer.concat([other ?? nonce, Buffer.from("AUTH")]);
      const isRight = other === null || Buffer.compare(other, nonce) === 0;
      const gate = new NonceGate(nonce);
      const ends = [...at.sort((a, b) => a - b), sent.length];
      const passed: string[] = [];
      let isRefused = false;
      let from = 0;
      for (const end of ends) {
        const rest = gate.pass(sent.subarray(from, end));
        from = end;
        if (rest === null) isRefused = true;
        else passed.push(Buffer.from(rest).toString());
      }
      expect(isRefused).toBe(!isRight);
      expect(passed.join("")).toBe(isRight ? "AUTH" : "");
    }),
  );
});

test("hexadecimal text of an answer is what the client encoded", () => {
  expect(encodeHex("mine 0")).toBe("6d696e652030");
});
