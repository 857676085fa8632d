/** The grammars of names, in tables. dbus-daemon.test.ts asks the same of a real daemon. */

import { expect, test } from "@jest/globals";
import {
  assertErrorName,
  assertInterfaceName,
  assertMemberName,
  assertUniqueName,
  assertWellKnownName,
  isBusName,
  isBusNamespace,
  isErrorName,
  isInterfaceName,
  isMemberName,
  isUniqueName,
  isWellKnownName,
} from "../../wire/names.ts";

const of255 = `a.${"b".repeat(253)}`;
const of256 = `a.${"b".repeat(254)}`;
const unique255 = `:1.${"0".repeat(252)}`;

test.each([":1.42", ":1.0.x", ":a.-", ":1.1a", ":0", ":", ":.1", unique255])(
  "%s is a unique name",
  (text) => {
    expect(isUniqueName(text)).toBe(true);
    expect(isBusName(text)).toBe(true);
    expect(isBusNamespace(text)).toBe(true);
    expect(isWellKnownName(text)).toBe(false);
    expect(() => assertUniqueName(text)).not.toThrow();
  },
);

test.each([
  "",
  "1.42",
  ":1.",
  ":1..2",
  ":1.4 2",
  ":1.é",
  ":1.4\n",
  ":1.4\0",
  `${unique255}0`,
  "::1",
])("%j is not a unique name", (text) => {
  expect(isUniqueName(text)).toBe(false);
  expect(() => assertUniqueName(text)).toThrow(TypeError);
});

test.each(["a.b", "org.freedesktop.DBus", "a-b.c", "-.-", "_._", "a.b9", "A.B.C.D", of255])(
  "%s is a well-known name",
  (text) => {
    expect(isWellKnownName(text)).toBe(true);
    expect(isBusName(text)).toBe(true);
    expect(isBusNamespace(text)).toBe(true);
    expect(() => assertWellKnownName(text)).not.toThrow();
  },
);

test.each([
  "",
  "a",
  ".a.b",
  "a.",
  "a.b.",
  "a..b",
  "9.a",
  "a.9b",
  "a b.c",
  "a.b\n",
  "ä.b",
  "a/b.c",
  of256,
])("%j is not a well-known name", (text) => {
  expect(isWellKnownName(text)).toBe(false);
  expect(isBusName(text)).toBe(false);
  expect(() => assertWellKnownName(text)).toThrow(TypeError);
});

test.each(["a", "com", "org.freedesktop", "-", ":1", ":1.5"])(
  "%s is a namespace of bus names",
  (text) => {
    expect(isBusNamespace(text)).toBe(true);
  },
);

test.each(["", ".", "a.", ".a", "9", "a..b", of256, ":1."])(
  "%j is no namespace of bus names",
  (text) => {
    expect(isBusNamespace(text)).toBe(false);
  },
);

test.each(["a.b", "_a._b", "org.freedesktop.DBus.Properties", "A9.b9", of255])(
  "%s is an interface and an error name",
  (text) => {
    expect(isInterfaceName(text)).toBe(true);
    expect(isErrorName(text)).toBe(true);
    expect(() => assertInterfaceName(text)).not.toThrow();
    expect(() => assertErrorName(text)).not.toThrow();
  },
);

test.each(["", "a", "a-b.c", "a.-", "9a.b", "a.9", ".a.b", "a.b.", "a..b", ":1.2", "a.b\n", of256])(
  "%j is no interface and no error name",
  (text) => {
    expect(isInterfaceName(text)).toBe(false);
    expect(isErrorName(text)).toBe(false);
    expect(() => assertInterfaceName(text)).toThrow(TypeError);
    expect(() => assertErrorName(text)).toThrow(TypeError);
  },
);

test.each(["a", "_", "Get", "a9", "b".repeat(255)])("%s is a member name", (text) => {
  expect(isMemberName(text)).toBe(true);
  expect(() => assertMemberName(text)).not.toThrow();
});

test.each(["", "9", "a.b", "a-b", "a\n", "é", "b".repeat(256)])("%j is no member name", (text) => {
  expect(isMemberName(text)).toBe(false);
  expect(() => assertMemberName(text)).toThrow(
    `${JSON.stringify(text)} is not a valid member name`,
  );
});
