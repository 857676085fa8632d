/** Object paths and their containment. */

import { expect, test } from "@jest/globals";
import { assertObjectPath, isObjectPath, isPathWithin } from "../../wire/object-path.ts";

test.each(["/", "/a", "/_", "/9", "/a/b/c", "/org/freedesktop/DBus"])(
  "%s is an object path",
  (text) => {
    expect(isObjectPath(text)).toBe(true);
    expect(() => assertObjectPath(text)).not.toThrow();
  },
);

test.each(["", "a", "a/b", "//", "/a/", "/a//b", "/a-b", "/a.b", "/ä", "/a\n", "/a\0", " /a"])(
  "%j is not an object path",
  (text) => {
    expect(isObjectPath(text)).toBe(false);
    expect(() => assertObjectPath(text)).toThrow(TypeError);
  },
);

test("a path of many megabytes is checked without running out of stack", () => {
  const path = "/abcdefg".repeat(2_000_000);
  expect(isObjectPath(path)).toBe(true);
  expect(isObjectPath(`${path}/`)).toBe(false);
});

test("a path lies within itself, its ancestors and the root", () => {
  expect(isPathWithin("/a/b", "/a/b")).toBe(true);
  expect(isPathWithin("/a/b", "/a")).toBe(true);
  expect(isPathWithin("/a/b", "/")).toBe(true);
  expect(isPathWithin("/", "/")).toBe(true);
});

test("a path does not lie within its children, siblings or the start of its element", () => {
  expect(isPathWithin("/a", "/a/b")).toBe(false);
  expect(isPathWithin("/ab", "/a")).toBe(false);
  expect(isPathWithin("/", "/a")).toBe(false);
});
