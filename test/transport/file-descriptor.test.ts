import { existsSync, openSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { FileDescriptor } from "../../transport/file-descriptor.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addonOrNull } from "./scratch.ts";

const addon = addonOrNull("owned file descriptors");

test.each([-1, 1.5, Number.NaN])("%p is no file descriptor", (number) => {
  const calls = { closeDescriptor: () => 0, duplicateDescriptor: () => -1 };
  expect(() => new FileDescriptor(number, calls)).toThrow(RangeError);
});

if (addon !== null) {
  describe("a file descriptor", () => {
    const open = (): FileDescriptor => new FileDescriptor(openSync("/dev/null", "r"), addon);

    test("is closed once, however often that is asked for", () => {
      const before = openDescriptors();
      const owned = open();
      expect(owned.isOpen).toBe(true);
      expect(existsSync(`/proc/self/fd/${owned.number}`)).toBe(true);
      owned.close();
      // The next descriptor may get the same number: closing again must not touch it.
      const next = open();
      owned.close();
      owned[Symbol.dispose]();
      expect(existsSync(`/proc/self/fd/${next.number}`)).toBe(true);
      next.close();
      expect(openedSince(before)).toEqual([]);
    });

    test("that is taken belongs to the taker", () => {
      const owned = open();
      const number = owned.take();
      expect(owned.isOpen).toBe(false);
      owned.close();
      expect(existsSync(`/proc/self/fd/${number}`)).toBe(true);
      expect(() => owned.take()).toThrow("closed or taken");
      expect(() => owned.number).toThrow("closed or taken");
      expect(() => owned.duplicate()).toThrow("closed or taken");
      new FileDescriptor(number, addon).close();
    });

    test("has duplicates with lives of their own", () => {
      const before = openDescriptors();
      const owned = open();
      const copy = owned.duplicate();
      expect(copy.number).not.toBe(owned.number);
      owned.close();
      expect(existsSync(`/proc/self/fd/${copy.number}`)).toBe(true);
      copy[Symbol.dispose]();
      expect(openedSince(before)).toEqual([]);
    });

    test("that is not open cannot be duplicated", () => {
      const number = open().take();
      new FileDescriptor(number, addon).close();
      expect(() => new FileDescriptor(number, addon).duplicate()).toThrow("EBADF");
    });
  });
}
