/** DBUS_COOKIE_SHA1, and ANONYMOUS where it leads nowhere. */

import { chmodSync, rmSync, statSync } from "node:fs";
import { afterAll, beforeEach, expect } from "@jest/globals";
import { DRIVER } from "./support/client.ts";
import { conformance, useBus } from "./support/conformance.ts";
import {
  COOKIE_AUTH,
  CookieHome,
  challengeFor,
  hex,
  joinByCookie,
  keysOf,
} from "./support/cookies.ts";
import { Type } from "./support/wire.ts";

const home = new CookieHome();
useBus({ configuration: "mechanisms.conf", environment: home.environment });
beforeEach(() => rmSync(home.directory, { recursive: true, force: true }));
afterAll(() => home.remove());

const COOKIE = "Authentication Mechanisms: DBUS_COOKIE_SHA1";
const ANONYMOUS = "Authentication Mechanisms: ANONYMOUS";
const withheld = { "dbus-broker": "it has no mechanism but EXTERNAL" };
const OK = /^OK [0-9a-f]{32}$/;
const REJECTED = /^REJECTED EXTERNAL DBUS_COOKIE_SHA1 ANONYMOUS$/;

conformance(
  "Mechanisms are listed in one order, whatever the configuration's",
  { spec: "dbus-daemon", withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0AUTH\r\n");
    await client.expectLine(REJECTED);
  },
);

conformance(
  "A challenge names the keyring, the cookie and 16 random bytes",
  { spec: COOKIE, withheld },
  async (scene) => {
    const challenges: string[] = [];
    for (let round = 0; round < 2; round++) {
      const client = await scene.client({ until: "nothing" });
      client.sendText("\0");
      const { context, id, text } = await challengeFor(client);
      expect([context, id]).toEqual(["org_freedesktop_general", home.cookies[0]?.[0]]);
      expect(text).toMatch(/^[0-9a-f]{32}$/);
      challenges.push(text);
    }
    expect(challenges[0]).not.toBe(challenges[1]);
    expect(home.cookies).toHaveLength(1);
  },
);

conformance(
  "Cookies lie where only their user can read them",
  { spec: COOKIE, withheld },
  async (scene) => {
    await joinByCookie(await scene.client({ until: "nothing" }), home);
    expect(statSync(home.directory).mode & 0o777).toBe(0o700);
    expect(statSync(home.file).mode & 0o777).toBe(0o600);
    expect(home.cookies[0]?.[2]).toMatch(/^[0-9a-f]{48}$/);
  },
);

conformance(
  "Who knows the cookie is its user, of whom the groups are not known",
  { spec: "dbus-daemon", withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    await joinByCookie(client, home);
    const reply = await client.call("GetConnectionCredentials", {
      signature: "s",
      arguments: [client.uniqueName],
    });
    const keys = keysOf(reply);
    expect(keys.sort()).toEqual(["ProcessID", "UnixUserID"]);
    const user = await client.call("GetConnectionUnixUser", {
      signature: "s",
      arguments: [client.uniqueName],
    });
    expect(user.arguments).toEqual([process.getuid?.()]);
  },
);

/** Answers to a challenge, made of the right one. */
const ANSWERS: readonly (readonly [what: string, make: (right: string) => string, ok: boolean])[] =
  [
    ["The right answer", (right) => right, true],
    ["Two blanks in it", (right) => right.replace(" ", "  "), true],
    ["The wrong proof", () => `mine ${"0".repeat(40)}`, false],
    ["The beginning of the proof", (right) => right.slice(0, -20), false],
    ["One digit of the proof", (right) => right.slice(0, 6), false],
    ["More than the proof", (right) => `${right}0`, false],
    ["The proof in capitals", (right) => right.toUpperCase().replace("MINE", "mine"), false],
    ["A blank behind the proof", (right) => `${right} `, false],
    [
      "The proof for another challenge of the client's",
      (right) => right.replace("mine", "yours"),
      false,
    ],
    ["No challenge of the client's", (right) => right.replace("mine", ""), false],
    ["A challenge of the client's alone", () => "mine", false],
    ["Nothing", () => "", false],
  ];

for (const [what, make, isRight] of ANSWERS) {
  conformance(
    `${what} is ${isRight ? "accepted" : "rejected"}`,
    { spec: COOKIE, withheld },
    async (scene) => {
      const client = await scene.client({ until: "nothing" });
      client.sendText("\0");
      const right = home.answerTo(await challengeFor(client));
      client.sendText(`DATA ${hex(make(right))}\r\n`);
      await client.expectLine(isRight ? OK : REJECTED);
    },
  );
}

conformance(
  "An answer is right for its own challenge only",
  { spec: COOKIE, withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0");
    const old = home.answerTo(await challengeFor(client));
    client.sendText("CANCEL\r\n");
    await client.expectLine(REJECTED);
    const challenge = await challengeFor(client);
    client.sendText(`DATA ${hex(old)}\r\n`);
    await client.expectLine(REJECTED);
    expect(challenge.text).not.toBe("");
    const next = await challengeFor(client);
    client.sendText(`DATA ${hex(home.answerTo(next))}\r\n`);
    await client.expectLine(OK);
  },
);

for (const user of ["4711", "no-such-user", ""]) {
  conformance(
    `There is no cookie for user "${user}"`,
    { spec: "dbus-daemon", withheld },
    async (scene) => {
      const client = await scene.client({ until: "nothing" });
      client.sendText(`\0AUTH DBUS_COOKIE_SHA1 ${hex(user)}\r\n`);
      await client.expectLine(REJECTED);
    },
  );
}

/** A cookie that is there: its age in seconds, whether it is used, and whether it stays. */
const AGES: readonly (readonly [age: number, isUsed: boolean, isKept: boolean])[] = [
  [0, true, true],
  [280, true, true],
  [320, false, true],
  [400, false, true],
  [440, false, false],
  [-280, true, true],
  [-320, false, false],
];

for (const [age, isUsed, isKept] of AGES) {
  const fate = isUsed ? "used" : isKept ? "kept, and not used" : "deleted";
  conformance(
    `A cookie of ${age} seconds is ${fate}`,
    { spec: "dbus-daemon", withheld },
    async (scene) => {
      home.leave(7, age);
      const client = await scene.client({ until: "nothing" });
      await joinByCookie(client, home);
      const ids = home.cookies.map(([id]) => id);
      expect(ids.includes("7")).toBe(isKept);
      expect(ids).toHaveLength(isKept && !isUsed ? 2 : 1);
    },
  );
}

for (const mode of [0o750, 0o705, 0o722]) {
  conformance(
    `Cookies in a directory of mode ${mode.toString(8)} are not used`,
    { spec: COOKIE, withheld },
    async (scene) => {
      home.leave(7, 0);
      chmodSync(home.directory, mode);
      const client = await scene.client({ until: "nothing" });
      client.sendText(`\0${COOKIE_AUTH}`);
      await client.expectLine(REJECTED);
    },
  );
}

conformance(
  "Challenges without end end the connection",
  { spec: "dbus-daemon", withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0");
    for (let attempt = 0; attempt < 6; attempt++) {
      await challengeFor(client);
      client.sendText("CANCEL\r\n");
      await client.line();
    }
    await client.disconnected();
  },
);

conformance(
  "A peer that stays anonymous is told OK, and disconnected",
  { spec: ANONYMOUS, withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0AUTH ANONYMOUS 6f6e65686f70\r\n");
    await client.expectLine(OK);
    client.sendText("BEGIN\r\n");
    await client.disconnected();
  },
);

conformance(
  "A peer that was anonymous may be somebody after all",
  { spec: ANONYMOUS, withheld },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0AUTH ANONYMOUS\r\n");
    await client.expectLine(OK);
    client.sendText("CANCEL\r\n");
    await client.expectLine(REJECTED);
    client.sendText("AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    await client.expectLine(/^DATA$/);
    await client.expectLine(OK);
    client.startMessages();
    await client.hello();
    expect((await client.call("GetId", { destination: DRIVER })).type).toBe(Type.Return);
  },
);
