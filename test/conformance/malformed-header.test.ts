/** Headers that are no headers: their sender is disconnected, and nobody else notices. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { conformance, useBus } from "./support/conformance.ts";
import { methodCall, signal } from "./support/messages.ts";
import { type Draft, encode, type RawField, Type } from "./support/wire.ts";

useBus();

const FORMAT = "Message Format";
const FIELDS = "Header Fields";

type Make = (receiver: string) => Uint8Array;

const message = (draft: Partial<Draft>, serial = 100): Make => {
  return (receiver) => encode(methodCall(receiver, draft), serial);
};

/** A valid call with some of its bytes overwritten. */
const patched = (at: number, ...bytes: number[]): Make => {
  return (receiver) => {
    const whole = encode(methodCall(receiver, { signature: "s", arguments: ["x"] }), 100);
    whole.set(bytes, at);
    return whole;
  };
};

/** A message of exactly these header fields. */
const fieldsOnly = (type: number, ...fields: RawField[]): Make => {
  return (receiver) => encode({ type, destination: receiver, fields }, 100);
};

const withField = (...field: RawField): Make => message({ fields: [field] });

const PATH: RawField = [1, "o", "/o"];
const INTERFACE: RawField = [2, "s", "org.example.I"];
const MEMBER: RawField = [3, "s", "M"];
const ERROR_NAME: RawField = [4, "s", "org.example.E"];
const REPLY_SERIAL: RawField = [5, "u", 7];

const CASES: readonly (readonly [what: string, spec: string, make: Make, brokerExcuse?: string])[] =
  [
    ["a byte order that is neither l nor B", FORMAT, patched(0, 0x78)],
    ["a byte order of zero", FORMAT, patched(0, 0)],
    ["the message type 0", FORMAT, patched(1, 0)],
    ["protocol version 0", FORMAT, patched(3, 0)],
    ["protocol version 2", FORMAT, patched(3, 2)],
    ["the serial 0", FORMAT, patched(8, 0, 0, 0, 0)],
    ["header fields that end inside a field", FORMAT, patched(12, 20, 0, 0, 0)],
    ["a field with the code 0", FIELDS, withField(0, "s", "x")],
    ["a call without a path", FIELDS, fieldsOnly(Type.Call, INTERFACE, MEMBER)],
    ["a call without a member", FIELDS, fieldsOnly(Type.Call, PATH, INTERFACE)],
    ["a signal without a path", FIELDS, fieldsOnly(Type.Signal, INTERFACE, MEMBER)],
    ["a signal without an interface", FIELDS, fieldsOnly(Type.Signal, PATH, MEMBER)],
    ["a signal without a member", FIELDS, fieldsOnly(Type.Signal, PATH, INTERFACE)],
    ["a method return without a reply serial", FIELDS, fieldsOnly(Type.Return)],
    ["an error without a reply serial", FIELDS, fieldsOnly(Type.Error, ERROR_NAME)],
    ["an error without an error name", FIELDS, fieldsOnly(Type.Error, REPLY_SERIAL)],
    ["the reply serial 0", FIELDS, fieldsOnly(Type.Return, [5, "u", 0])],
    ["a path that is a string", FIELDS, fieldsOnly(Type.Call, [1, "s", "/o"], MEMBER)],
    ["an interface that is a path", FIELDS, fieldsOnly(Type.Call, PATH, [2, "o", "/o"], MEMBER)],
    ["a member that is a number", FIELDS, fieldsOnly(Type.Call, PATH, [3, "u", 1])],
    [
      "an error name that is a signature",
      FIELDS,
      fieldsOnly(Type.Error, [4, "g", "s"], REPLY_SERIAL),
    ],
    ["a reply serial that is a string", FIELDS, fieldsOnly(Type.Return, [5, "s", "7"])],
    ["a signature that is a string", FIELDS, fieldsOnly(Type.Call, PATH, MEMBER, [8, "s", "s"])],
    ["a descriptor count that is a byte", FIELDS, withField(9, "y", 0)],
    ["a sender that is a number", FIELDS, withField(7, "u", 1)],
    ["two paths", FIELDS, withField(1, "o", "/again")],
    ["two members", FIELDS, withField(3, "s", "Again")],
    ["two interfaces", FIELDS, withField(2, "s", "org.example.Again")],
    ["two destinations", FIELDS, withField(6, "s", "org.example.Again")],
    [
      "two signatures",
      FIELDS,
      message({ signature: "s", arguments: ["x"], fields: [[8, "g", "s"]] }),
    ],
    ["a path without a slash", "Valid Object Paths", message({ path: "o" })],
    ["an empty path", "Valid Object Paths", message({ path: "" })],
    ["a path that ends with a slash", "Valid Object Paths", message({ path: "/a/" })],
    ["a path with an empty element", "Valid Object Paths", message({ path: "/a//b" })],
    ["a path with a forbidden character", "Valid Object Paths", message({ path: "/a-b" })],
    ["a path outside ASCII", "Valid Object Paths", message({ path: "/ä" })],
    ["an interface without a dot", "Valid Names: interface", message({ interface: "nodots" })],
    ["an empty interface", "Valid Names: interface", message({ interface: "" })],
    [
      "an interface with an empty element",
      "Valid Names: interface",
      message({ interface: "a..b" }),
    ],
    [
      "an interface that begins with a dot",
      "Valid Names: interface",
      message({ interface: ".a.b" }),
    ],
    [
      "an interface element that begins with a digit",
      "Valid Names: interface",
      message({ interface: "a.1b" }),
    ],
    ["an interface with a hyphen", "Valid Names: interface", message({ interface: "a.b-c" })],
    [
      "an interface of 256 bytes",
      "Valid Names: interface",
      message({ interface: `a.${"b".repeat(254)}` }),
    ],
    ["an empty member", "Valid Names: member", message({ member: "" })],
    ["a member with a dot", "Valid Names: member", message({ member: "a.b" })],
    ["a member that begins with a digit", "Valid Names: member", message({ member: "1a" })],
    ["a member with a hyphen", "Valid Names: member", message({ member: "a-b" })],
    ["a member of 256 bytes", "Valid Names: member", message({ member: "m".repeat(256) })],
    [
      "an error name without a dot",
      "Valid Names: error",
      fieldsOnly(Type.Error, [4, "s", "nodots"], REPLY_SERIAL),
    ],
    [
      "a destination without a dot",
      "Valid Names: bus",
      fieldsOnly(Type.Call, PATH, MEMBER, [6, "s", "nodots"]),
    ],
    ["an empty destination", "Valid Names: bus", () => encode(methodCall(""), 100)],
    [
      "a destination of 256 bytes",
      "Valid Names: bus",
      () => encode(methodCall(`a.${"b".repeat(254)}`), 100),
    ],
    ["a sender that is no name", "Valid Names: bus", message({ sender: "nodots" })],
    [
      "a signature that is none",
      "Valid Signatures",
      message({ signature: "z", body: new Uint8Array(4) }),
    ],
    [
      "a signature with an open struct",
      "Valid Signatures",
      message({ signature: "(s", body: new Uint8Array(8) }),
    ],
    [
      "a signature with an empty struct",
      "Valid Signatures",
      message({ signature: "()", body: new Uint8Array(8) }),
    ],
    [
      "a signature with an array of nothing",
      "Valid Signatures",
      message({ signature: "a", body: new Uint8Array(4) }),
    ],
    [
      "a dictionary entry outside an array",
      "Valid Signatures",
      message({ signature: "{ss}", body: new Uint8Array(16) }),
    ],
    [
      "a dictionary entry of one type",
      "Valid Signatures",
      message({ signature: "a{s}", body: new Uint8Array(8) }),
    ],
    [
      "a dictionary entry of three types",
      "Valid Signatures",
      message({ signature: "a{sss}", body: new Uint8Array(8) }),
    ],
    [
      "a dictionary with a struct as key",
      "Valid Signatures",
      message({ signature: "a{(s)s}", body: new Uint8Array(8) }),
    ],
    [
      "arrays nested 33 deep",
      "Valid Signatures",
      message({ signature: `${"a".repeat(33)}y`, body: new Uint8Array(4) }),
    ],
    [
      "structs nested 33 deep",
      "Valid Signatures",
      message({ signature: `${"(".repeat(33)}y${")".repeat(33)}`, body: new Uint8Array(1) }),
    ],
    ["a header field whose variant has two types", FIELDS, rawField([0x42, 2, 0x73, 0x73, 0])],
    ["a header field whose variant is empty", FIELDS, rawField([0x42, 0, 0])],
    ["padding between header fields that is not zero", FORMAT, dirtyPadding],
    ["a string in the header without its final zero", FORMAT, missingZero],
    ["a string in the header with a zero inside", FORMAT, message({ member: "a\0b" })],
    [
      "a container field that is no path of an instance",
      FIELDS,
      withField(10, "s", "x"),
      "it does not know the field",
    ],
  ];

for (const [what, spec, make, brokerExcuse] of CASES) {
  conformance(
    `A message with ${what} ends its sender's connection`,
    { spec, ...(brokerExcuse === undefined ? {} : { excused: { "dbus-broker": brokerExcuse } }) },
    async (scene) => {
      const [sender, receiver] = [await scene.client(), await scene.client()];
      sender.sendBytes(make(receiver.uniqueName));
      await sender.disconnected();
      expect(briefs(await receiver.drain())).toEqual([]);
    },
  );
}

conformance(
  "A message before the malformed one is delivered, one after it is not",
  { spec: FORMAT },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    sender.sendBytes(
      Buffer.concat([
        encode(methodCall(receiver.uniqueName, { member: "Before" }), 101),
        patched(3, 2)(receiver.uniqueName),
        encode(methodCall(receiver.uniqueName, { member: "After" }), 102),
      ]),
    );
    await sender.disconnected();
    expect(briefs(await receiver.drain())).toEqual(["call Before"]);
  },
);

conformance(
  "A malformed message is the end of its sender's names, too",
  { spec: FORMAT },
  async (scene) => {
    const [sender, witness] = [await scene.client(), await scene.client()];
    await sender.requestName("org.example.Malformed");
    await witness.addMatch("member='NameOwnerChanged',arg0='org.example.Malformed'");
    sender.sendBytes(patched(0, 0)(witness.uniqueName));
    await scene.gone(sender.uniqueName);
    expect(briefs(await witness.drain())).toEqual([
      `signal NameOwnerChanged org.example.Malformed ${sender.uniqueName} ""`,
    ]);
  },
);

conformance(
  "A malformed message before Hello ends the connection",
  { spec: FORMAT },
  async (scene) => {
    const client = await scene.client({ until: "begin" });
    client.sendBytes(patched(0, 0)("org.freedesktop.DBus"));
    await client.disconnected();
  },
);

// Headers at the edge that are headers

const FINE: readonly (readonly [what: string, draft: Partial<Draft>])[] = [
  ["an interface of 255 bytes", { interface: `a.${"b".repeat(253)}` }],
  ["a member of 255 bytes", { member: "m".repeat(255) }],
  ["the root path", { path: "/" }],
  ["a path of 1000 bytes", { path: `/${"p".repeat(999)}` }],
  ["an interface that begins with an underscore", { interface: "_a._1" }],
  ["arrays nested 32 deep", { signature: `${"a".repeat(32)}y`, body: new Uint8Array(4) }],
  [
    "structs nested 32 deep",
    { signature: `${"(".repeat(32)}y${")".repeat(32)}`, body: new Uint8Array(1) },
  ],
  ["a signature of 255 bytes", { signature: "y".repeat(255), body: new Uint8Array(255) }],
  ["an empty signature written out", { fields: [[8, "g", ""]] }],
];

for (const [what, draft] of FINE) {
  conformance(`A message with ${what} is delivered`, { spec: FORMAT }, async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    sender.send(methodCall(receiver.uniqueName, draft));
    expect(await arrivals(sender, receiver)).toBe(1);
  });
}

conformance(
  "A signal may carry a reply serial, a return an interface",
  { spec: FIELDS },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    sender.send(signal({ destination: receiver.uniqueName, replySerial: 9 }));
    expect(await receiver.next()).toMatchObject({ type: Type.Signal, replySerial: 9 });
  },
);

async function arrivals(sender: Client, receiver: Client): Promise<number> {
  await sender.drain();
  return (await receiver.drain()).length;
}

/** A valid message with one further header field of these bytes. */
function rawField(bytes: readonly number[]): Make {
  return (receiver) => {
    const whole = encode(methodCall(receiver), 100);
    const view = new DataView(whole.buffer, whole.byteOffset, whole.length);
    const longer = new Uint8Array(whole.length + 8);
    longer.set(whole);
    longer.set(bytes, whole.length);
    new DataView(longer.buffer).setUint32(12, whole.length - 16 + bytes.length, true);
    expect(view.getUint32(12, true)).toBeLessThanOrEqual(whole.length - 16);
    return longer;
  };
}

/** The padding before the second header field, dirtied. */
function dirtyPadding(receiver: string): Uint8Array {
  const whole = encode(methodCall(receiver, { path: "/a" }), 100);
  // Field 1: code, "o" signature (1 + 1 + 1), length 2, "/a\0", then padding to 32.
  whole[31] = 1;
  return whole;
}

/** The zero after the path's text, overwritten. */
function missingZero(receiver: string): Uint8Array {
  const whole = encode(methodCall(receiver, { path: "/a" }), 100);
  whole[26] = 0x61;
  return whole;
}
