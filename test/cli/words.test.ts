/** Words of command lines: which is the interface, the method and the signature; names that are wrong. */

import { expect, test } from "@jest/globals";
import { checkedBusName, checkedPath } from "../../cli/checked-names.ts";
import { readMemberWords } from "../../cli/member-words.ts";
import { similarTo } from "../../cli/similar.ts";

test.each([
  ["as busctl has it", ["a.b.I", "Do", "s", "x"], "a.b.I", "Do", "s", ["x"]],
  ["without a signature", ["a.b.I", "Do"], "a.b.I", "Do", null, []],
  ["joined, alone", ["a.b.I.Do"], "a.b.I", "Do", null, []],
  ["joined, before what is no name", ["a.b.I.Do", "a{sv}", "0"], "a.b.I", "Do", "a{sv}", ["0"]],
  [
    "joined, before a signature and its value",
    ["a.b.I.Do", "s", "hello"],
    "a.b.I",
    "Do",
    "s",
    ["hello"],
  ],
  ["in doubt as busctl has it", ["a.b.I.Do", "s"], "a.b.I.Do", "s", null, []],
  ["with an empty signature", ["a.b.I.Do", ""], "a.b.I", "Do", "", []],
])("%s", (_case, words, interfaceName, member, signature, rest) => {
  expect(readMemberWords(words, "a method")).toEqual({
    interface: interfaceName,
    member,
    signature,
    words: rest,
  });
});

test.each([
  [["nodots"], '"nodots" is not an interface: expected such as org.example.Interface'],
  [["a.b"], "the name of a method of a.b is missing"],
  [["a.b.I", "no-name", "s"], '"no-name" is not the name of a method: expected such as Frobnicate'],
  [["a.b.I.Do", "a{"], '"a{" is not a valid signature: it ends too early'],
  [["a.b.I", "Do", "z"], '"z" is not a valid signature: it is wrong at character 1, "z"'],
  [["a.b.I.Do", "su", "x", "5"], "is it a method su of a.b.I.Do, or Do of a.b.I?"],
])("%j is refused", (words, message) => {
  expect(() => readMemberWords(words, "a method")).toThrow(message);
});

test("names and paths are refused with an example", () => {
  expect(() => checkedBusName("a..b")).toThrow(
    '"a..b" is not a bus name: expected such as org.example.Service or :1.42',
  );
  expect(() => checkedPath("a/b")).toThrow(
    '"a/b" is not an object path: expected such as /org/example/Object',
  );
});

test("similar names are those that somebody may have meant", () => {
  const names = [
    "org.example.Player",
    "org.example.Players2",
    "org.freedesktop.DBus",
    "com.other.Thing",
  ];
  expect(similarTo("org.exampel.Player", names)).toEqual([
    "org.example.Player",
    "org.example.Players2",
  ]);
  expect(similarTo("ORG.EXAMPLE.PLAYER", names)[0]).toBe("org.example.Player");
  expect(similarTo("freedesktop.DBus", names)).toEqual(["org.freedesktop.DBus"]);
  expect(similarTo("net.nothing.Like", names)).toEqual([]);
});
