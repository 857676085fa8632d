/** Users and groups, as policies ask for them. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import {
  findKnownGroup,
  findKnownUser,
  findUser,
  KnownAccounts,
} from "../../compat/dbus-daemon/accounts.ts";

const UNKNOWN = 4_999_999;

test("policies are about users and groups that the user database knows, by name or number", () => {
  expect(findKnownUser("root")).toBe(0);
  expect(findKnownUser("0")).toBe(0);
  expect(findKnownUser(String(UNKNOWN))).toBeNull();
  expect(findKnownUser("no-such-user")).toBeNull();
  expect(findKnownGroup("root")).toBe(0);
  expect(findKnownGroup("0")).toBe(0);
  expect(findKnownGroup(String(UNKNOWN))).toBeNull();
  expect(findUser(String(UNKNOWN))).toEqual({ userId: UNKNOWN, groupId: UNKNOWN });
});

test("a user is known or not, and has its primary group first", () => {
  const accounts = new KnownAccounts();
  expect([accounts.isKnown(0), accounts.isKnown(UNKNOWN)]).toEqual([true, false]);
  expect(accounts.groupsOf(0)[0]).toBe(0);
  expect(accounts.groupsOf(UNKNOWN)).toEqual([]);
});

test("who has a session on a seat is at the console", () => {
  const folder = mkdtempSync(join(tmpdir(), "onehop-accounts-"));
  const accounts = new KnownAccounts(folder);
  mkdirSync(join(folder, "users"));
  writeFileSync(join(folder, "users/1000"), "NAME=a\nONLINE_SEATS=seat0\n");
  writeFileSync(join(folder, "users/1001"), "NAME=b\nSEATS=seat0\nONLINE_SEATS=\n");
  // Without seats there is no systemd-logind.
  expect(accounts.isAtConsole(1000)).toBe(false);
  mkdirSync(join(folder, "seats"));
  expect([1000, 1001, 1002].map((userId) => accounts.isAtConsole(userId))).toEqual([
    true,
    false,
    false,
  ]);
  rmSync(folder, { recursive: true });
});
