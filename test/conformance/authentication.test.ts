/** The authentication protocol, line by line. */

import { expect } from "@jest/globals";
import { DRIVER, DRIVER_PATH } from "./support/client.ts";
import { conformance, notRun, useBus } from "./support/conformance.ts";
import { busKind } from "./support/daemons.ts";
import { encode, Type } from "./support/wire.ts";

useBus();

const SASL = "Authentication Protocol";
const EXTERNAL = "Authentication Mechanisms: EXTERNAL";

const uid = String(process.getuid?.() ?? 0);
const hexUid = Buffer.from(uid).toString("hex");

const HELLO = encode(
  { type: Type.Call, path: DRIVER_PATH, interface: DRIVER, member: "Hello", destination: DRIVER },
  1,
);

/** Lines to send after the zero byte, and what each must be answered with; null is a hang-up. */
type Exchange = readonly (readonly [line: string, answer: RegExp | null])[];

const OK = /^OK [0-9a-f]{32}$/;
const REJECTED = /^REJECTED( [A-Z0-9_]+)*$/;
const ERROR = /^ERROR/;

const EXCHANGES: readonly (readonly [what: string, spec: string, exchange: Exchange])[] = [
  ["EXTERNAL with the peer's uid is accepted", EXTERNAL, [[`AUTH EXTERNAL ${hexUid}`, OK]]],
  [
    "EXTERNAL without an initial response asks for data",
    EXTERNAL,
    [
      ["AUTH EXTERNAL", /^DATA$/],
      ["DATA", OK],
    ],
  ],
  [
    "EXTERNAL takes the uid as data",
    EXTERNAL,
    [
      ["AUTH EXTERNAL", /^DATA$/],
      [`DATA ${hexUid}`, OK],
    ],
  ],
  ["EXTERNAL with another uid is rejected", EXTERNAL, [["AUTH EXTERNAL 3432", REJECTED]]],
  [
    "EXTERNAL with a uid that is no number is rejected",
    EXTERNAL,
    [["AUTH EXTERNAL 6e6f626f6479", REJECTED]],
  ],
  [
    "After a rejection another attempt may succeed",
    SASL,
    [
      ["AUTH EXTERNAL 3432", REJECTED],
      [`AUTH EXTERNAL ${hexUid}`, OK],
    ],
  ],
  ["An unknown mechanism is rejected with a list", SASL, [["AUTH NOPE", /^REJECTED .*EXTERNAL/]]],
  ["AUTH alone asks for the mechanisms", SASL, [["AUTH", /^REJECTED .*EXTERNAL/]]],
  [
    "An unknown command is an error, and one may go on",
    SASL,
    [
      ["NONSENSE", ERROR],
      [`AUTH EXTERNAL ${hexUid}`, OK],
    ],
  ],
  [
    "CANCEL during an exchange is a rejection",
    SASL,
    [
      ["AUTH EXTERNAL", /^DATA$/],
      ["CANCEL", REJECTED],
      [`AUTH EXTERNAL ${hexUid}`, OK],
    ],
  ],
  [
    "ERROR during an exchange is a rejection",
    SASL,
    [
      ["AUTH EXTERNAL", /^DATA$/],
      ["ERROR", REJECTED],
    ],
  ],
  [
    "CANCEL after OK is a rejection",
    SASL,
    [
      [`AUTH EXTERNAL ${hexUid}`, OK],
      ["CANCEL", REJECTED],
      [`AUTH EXTERNAL ${hexUid}`, OK],
    ],
  ],
  [
    "Descriptors are agreed on after OK",
    SASL,
    [
      [`AUTH EXTERNAL ${hexUid}`, OK],
      ["NEGOTIATE_UNIX_FD", /^AGREE_UNIX_FD$/],
    ],
  ],
  [
    "Descriptors may be agreed on twice",
    "dbus-daemon",
    [
      [`AUTH EXTERNAL ${hexUid}`, OK],
      ["NEGOTIATE_UNIX_FD", /^AGREE_UNIX_FD$/],
      ["NEGOTIATE_UNIX_FD", /^AGREE_UNIX_FD$/],
    ],
  ],
  ["Descriptors before OK are an error", SASL, [["NEGOTIATE_UNIX_FD", ERROR]]],
  ["DATA before AUTH is an error", SASL, [["DATA", ERROR]]],
  [
    "DATA after OK is an error",
    SASL,
    [
      [`AUTH EXTERNAL ${hexUid}`, OK],
      ["DATA", ERROR],
    ],
  ],
  [
    "An unknown command after OK is an error",
    SASL,
    [
      [`AUTH EXTERNAL ${hexUid}`, OK],
      ["NONSENSE", ERROR],
    ],
  ],
  ["BEGIN before OK ends the connection", SASL, [["BEGIN", null]]],
  [
    "BEGIN after a rejection ends the connection",
    SASL,
    [
      ["AUTH NOPE", REJECTED],
      ["BEGIN", null],
    ],
  ],
  [
    "BEGIN while data is awaited ends the connection",
    SASL,
    [
      ["AUTH EXTERNAL", /^DATA$/],
      ["BEGIN", null],
    ],
  ],
  ["Commands are told by their case", SASL, [[`auth EXTERNAL ${hexUid}`, ERROR]]],
];

/** What dbus-broker does instead, by the case. */
const EXCUSES: Readonly<Record<string, string>> = {
  "An unknown command is an error, and one may go on": "it hangs up",
};

for (const [what, spec, exchange] of EXCHANGES) {
  const excuse = EXCUSES[what];
  conformance(
    what,
    { spec, ...(excuse === undefined ? {} : { excused: { "dbus-broker": excuse } }) },
    async (scene) => {
      const client = await scene.client({ until: "nothing" });
      client.sendText("\0");
      for (const [line, answer] of exchange) {
        client.sendText(`${line}\r\n`);
        if (answer === null) await client.disconnected();
        else expect(await client.line()).toMatch(answer);
      }
    },
  );
}

conformance("Every OK of one bus has the same GUID", { spec: SASL }, async (scene) => {
  const guids = new Set<string>();
  for (let round = 0; round < 3; round++) guids.add((await scene.client()).guid);
  expect(guids.size).toBe(1);
});

conformance(
  "The GUID of OK is the address's",
  { spec: "Server Addresses: guid" },
  async (scene) => {
    const client = await scene.client();
    const told = /,guid=([0-9a-f]{32})/.exec(scene.address)?.[1];
    expect(told ?? client.guid).toBe(client.guid);
    expect(busKind === "dbus-broker" || told !== undefined).toBe(true);
  },
);

conformance("A whole handshake in one write is accepted", { spec: SASL }, async (scene) => {
  const client = await scene.client({ until: "nothing" });
  client.sendBytes(
    Buffer.concat([
      Buffer.from(`\0AUTH EXTERNAL ${hexUid}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`, "latin1"),
      HELLO,
    ]),
  );
  await client.expectLine(OK);
  await client.expectLine(/^AGREE_UNIX_FD$/);
  client.startMessages();
  expect((await client.replyTo(1)).type).toBe(Type.Return);
});

conformance("A handshake in single bytes is accepted", { spec: SASL }, async (scene) => {
  const client = await scene.client({ until: "nothing" });
  for (const character of `\0AUTH EXTERNAL ${hexUid}\r\nBEGIN\r\n`) {
    client.sendText(character);
    await client.flushed();
  }
  await client.expectLine(OK);
  client.startMessages();
  client.sendBytes(HELLO);
  expect((await client.replyTo(1)).type).toBe(Type.Return);
});

conformance("A line may come in two pieces, cut inside its end", { spec: SASL }, async (scene) => {
  const client = await scene.client({ until: "nothing" });
  client.sendText(`\0AUTH EXTERNAL ${hexUid}\r`);
  await client.flushed();
  client.sendText("\nBEG");
  await client.expectLine(OK);
  client.sendText("IN\r\n");
  client.startMessages();
  client.sendBytes(HELLO);
  expect((await client.replyTo(1)).type).toBe(Type.Return);
});

conformance("The first byte must be zero", { spec: SASL }, async (scene) => {
  const client = await scene.client({ until: "nothing" });
  client.sendText(`AUTH EXTERNAL ${hexUid}\r\n`);
  await client.disconnected();
});

conformance("Bytes that are no lines end the connection", { spec: SASL }, async (scene) => {
  const client = await scene.client({ until: "nothing" });
  client.sendText(`\0${"x".repeat(20_000)}`);
  await client.disconnected();
});

conformance(
  "A line outside ASCII ends the exchange with an error or a hang-up",
  { spec: SASL },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0AUTH EXTERNAL \xff\xfe\r\n");
    const answer = await client.line();
    expect(answer ?? "ERROR").toMatch(/^(ERROR|REJECTED)/);
  },
);

conformance("A message before BEGIN is not taken for one", { spec: SASL }, async (scene) => {
  const client = await scene.client({ until: "nothing" });
  client.sendText("\0");
  client.sendBytes(HELLO);
  client.sendText("\r\n");
  expect((await client.line()) ?? "ERROR").toMatch(ERROR);
});

conformance(
  "Rejections without end end the connection",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it has no such limit" } },
  async (scene) => {
    const client = await scene.client({ until: "nothing" });
    client.sendText("\0");
    for (let attempt = 0; attempt < 50 && !client.isClosed; attempt++) {
      client.sendText("AUTH EXTERNAL 3432\r\n");
      if ((await client.line()) === null) break;
    }
    expect(client.isClosed).toBe(true);
  },
);

conformance(
  "A peer of another user is not let onto a session bus",
  {
    spec: "dbus-daemon",
    withheld: { "dbus-broker": "broker-launch's policy lets everybody in" },
  },
  async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    const stranger = await scene.peer({ until: "nothing" }, { uid: 65534, gid: 65534, groups: [] });
    stranger.sendText("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    await stranger.disconnected();
  },
);

conformance(
  "A peer that leaves in the middle of the handshake is forgotten",
  { spec: SASL },
  async (scene) => {
    for (const part of ["", "\0", "\0AUTH", `\0AUTH EXTERNAL ${hexUid}\r\n`]) {
      const client = await scene.client({ until: "nothing" });
      if (part !== "") client.sendText(part);
      client.close();
    }
    expect((await (await scene.client()).call("GetId")).type).toBe(Type.Return);
  },
);
