/** Messages described by options and by JSON. */

import { expect, test } from "@jest/globals";
import { DescriptionError, describedBytes } from "../../cli/described-message.ts";
import {
  jsonName,
  type MessageOptions,
  optionName,
  readJson,
  readOptions,
} from "../../cli/message-options.ts";
import type { Message } from "../../wire/message.ts";
import { decodeMessage } from "../../wire/message-codec.ts";

const NOTHING: MessageOptions = {
  ...{ type: undefined, sender: undefined, owns: undefined, path: undefined, interface: undefined },
  ...{ member: undefined, "error-name": undefined, destination: undefined, signature: undefined },
  ...{ "destination-owns": undefined, arg: undefined },
};
const SIGNAL = { path: "/a", interface: "a.b", member: "M" };

function byOptions(options: Partial<MessageOptions>): Message {
  return decodeMessage(describedBytes(readOptions({ ...NOTHING, ...options }), optionName).bytes);
}

function byJson(description: unknown): Message {
  return decodeMessage(describedBytes(readJson(JSON.stringify(description)), jsonName).bytes);
}

function problem(describe: () => unknown): string {
  try {
    describe();
  } catch (error) {
    if (error instanceof DescriptionError) return error.message;
    throw error;
  }
  throw new Error("nothing was wrong");
}

test("options say what is in a message", () => {
  expect(byOptions({ ...SIGNAL, sender: ":1.5", arg: ["1=b", "0="] })).toMatchObject({
    ...{ type: 4, path: "/a", interface: "a.b", member: "M", sender: ":1.5", destination: null },
    ...{ signature: "ss", body: ["", "b"] },
  });
  expect(byOptions({ type: "error", "error-name": "a.E", destination: ":1.1" })).toMatchObject({
    ...{ type: 3, errorName: "a.E", destination: ":1.1", path: null },
  });
  expect(byOptions({ type: "method_return" }).type).toBe(2);
  expect(byOptions({ type: "method_call", path: "/", member: "M" }).interface).toBeNull();
});

test("arguments are texts, or JSON; those that are not given are empty", () => {
  const arg = ["0=1=", "1=7", '2=["a"]', '5={"signature":"u","value":7}', "6=/a"];
  expect(byOptions({ ...SIGNAL, signature: "suasobvoa{sv}(st)", arg }).body).toMatchObject([
    ...["1=", 7, ["a"], "/", false, { signature: "u", value: 7 }, "/a", new Map(), ["", 0n]],
  ]);
});

test("JSON says the same", () => {
  const description = { ...SIGNAL, type: "signal", sender: ":1.5", signature: "sa{sv}" };
  const variant = { signature: "i", value: -1 };
  expect(byJson({ ...description, body: ["x", { key: variant }] }).body).toMatchObject([
    "x",
    new Map([["key", variant]]),
  ]);
  const { circumstances } = describedBytes(
    readJson(JSON.stringify({ ...SIGNAL, owns: ["a.b"], destinationOwns: [":1.1", "c.d"] })),
    jsonName,
  );
  expect(circumstances).toEqual({ senderNames: ["a.b"], destinationNames: [":1.1", "c.d"] });
});

test.each<[Partial<MessageOptions>, string]>([
  [{ type: "sign" }, "--type 'sign' is none of signal, method_call, method_return, error"],
  [
    { path: "/a/" },
    "--path '/a/' does not fit: it should be an object path, for example /org/example/Player",
  ],
  [
    { interface: "a" },
    "--interface 'a' does not fit: it should be an interface name, for example org.example.Player",
  ],
  [
    { member: "a.b" },
    "--member 'a.b' does not fit: it should be the name of a method or signal, for example Changed",
  ],
  [
    { "error-name": "E" },
    "--error-name 'E' does not fit: it should be an error name, for example org.example.Error.Busy",
  ],
  [
    { destination: "x" },
    "--destination 'x' does not fit: it should be a unique or well-known name, for example org.example.Player",
  ],
  [
    { owns: ["a.b", ":1.5"] },
    "--owns ':1.5' does not fit: it should be a well-known name, for example org.example.Player",
  ],
  [
    { "destination-owns": ["x"] },
    "--destination-owns 'x' does not fit: it should be a unique or well-known name, for example org.example.Player",
  ],
  [
    { signature: "a" },
    "--signature 'a' does not fit: it should be a D-Bus signature, for example sa{sv}",
  ],
  [
    { path: "/a", member: "M" },
    "a message of type signal needs --interface, for example org.example.Player",
  ],
  [
    { type: "error" },
    "a message of type error needs --error-name, for example org.example.Error.Busy",
  ],
  [
    { ...SIGNAL, arg: ["x"] },
    "--arg 'x' does not say which argument it is: for example --arg 0=text",
  ],
  [{ ...SIGNAL, arg: ["0=x", "0=y"] }, "--arg 0 is there twice"],
  [
    { ...SIGNAL, signature: "s", arg: ["1=x"] },
    "--arg 1 is one too many for the signature 's', which has 1 arguments, counted from 0",
  ],
  [
    { ...SIGNAL, signature: "u", arg: ["0=x"] },
    '--arg 0 does not fit its type u: expected u, got string "x"; for example 7',
  ],
  [
    { ...SIGNAL, signature: "a{s(ob)}", arg: ["0=[1]"] },
    '--arg 0 does not fit its type a{s(ob)}: [0] expected {s(ob)} (a pair), got number 1; for example {"text":["/org/example/Player",true]}',
  ],
])("refused: %j", (options, expected) => {
  expect(problem(() => byOptions(options))).toBe(expected);
});

test("a sender is not a well-known name", () => {
  expect(problem(() => byOptions({ ...SIGNAL, sender: "org.example.A" }))).toMatch(
    /^--sender 'org.example.A' does not fit: .* for example :1\.5$/,
  );
  expect(byOptions({ ...SIGNAL, sender: "org.freedesktop.DBus" }).sender).toBe(
    "org.freedesktop.DBus",
  );
});

test.each([
  ["{", /^--message is not JSON \(.*\); it should be as \{"path":/],
  ["[]", /^--message should be an object, such as \{"path":/],
  ['{"wrong":1}', /^--message has an unknown "wrong"; it may have type, sender, .*, body$/],
  ['{"path":1}', /^"path" of --message should be a string, as in \{/],
  ['{"owns":"a.b"}', /^"owns" of --message should be an array, as in \{/],
  ['{"owns":[1]}', /^"owns" of --message should be an array/],
  [
    '{"path":"/a","member":"M"}',
    /^a message of type signal needs "interface" of --message, for example/,
  ],
  [
    '{"path":"/a","interface":"a.b","member":"M","body":["x",1]}',
    /^"body" of --message: argument 1 does not fit its type s: expected s, got number 1; for example "text"$/,
  ],
])("refused: %s", (text, expected) => {
  expect(problem(() => describedBytes(readJson(text), jsonName))).toMatch(expected);
});
