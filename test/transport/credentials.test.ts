import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import type { PeerCredentials } from "../../native/binding.ts";
import { credentialsOf, ownUserCredentials } from "../../transport/credentials.ts";
import type { DescriptorCalls } from "../../transport/file-descriptor.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addonOrNull } from "./scratch.ts";

const NO_CALLS: DescriptorCalls = { closeDescriptor: () => 0, duplicateDescriptor: () => -1 };
const PEER: PeerCredentials = {
  pid: 12,
  uid: 1000,
  gid: 50,
  groups: [100, 4],
  securityLabel: Buffer.from("unconfined\0"),
  pidDescriptor: -1,
};

test("all groups are there, sorted, the primary one among them", () => {
  expect(credentialsOf(PEER, NO_CALLS)).toMatchObject({
    processId: 12,
    userId: 1000,
    groupId: 50,
    groups: [4, 50, 100],
    processDescriptor: null,
  });
  expect(credentialsOf({ ...PEER, groups: [50] }, NO_CALLS).groups).toEqual([50]);
  expect(credentialsOf({ ...PEER, groups: null }, NO_CALLS).groups).toBeNull();
});

test("the security label has lost its NUL and nothing else", () => {
  const labelOf = (text: string): string =>
    Buffer.from(
      credentialsOf({ ...PEER, securityLabel: Buffer.from(text) }, NO_CALLS).securityLabel ?? [],
    ).toString();
  expect(labelOf("unconfined\0")).toBe("unconfined");
  expect(labelOf("unconfined")).toBe("unconfined");
  expect(credentialsOf({ ...PEER, securityLabel: null }, NO_CALLS).securityLabel).toBeNull();
});

test("a refusal of the kernel is an error with its name", () => {
  expect(() => credentialsOf(-95, NO_CALLS)).toThrow("ENOTSUP");
});

test("without the addon only the user is known, our own", () => {
  expect(ownUserCredentials()).toEqual({
    processId: null,
    userId: process.geteuid?.(),
    groupId: null,
    groups: null,
    securityLabel: null,
    processDescriptor: null,
  });
});

const addon = addonOrNull("credentials of a real socket");
if (addon !== null) {
  test("the kernel tells who made a pair of sockets", () => {
    const before = openDescriptors();
    const pair = addon.socketPair();
    if (typeof pair === "number") throw new Error(`no pair of sockets: ${pair}`);
    const credentials = credentialsOf(addon.credentials(pair[0]), addon);
    const groups =
      /^Groups:[ \t]*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    const ownGroups = new Set([
      process.getegid?.() ?? 0,
      ...groups.trim().split(/\s+/).filter(Boolean).map(Number),
    ]);
    expect(credentials).toMatchObject({
      processId: process.pid,
      userId: process.geteuid?.(),
      groupId: process.getegid?.(),
    });
    expect(credentials.groups ?? [...ownGroups].sort((a, b) => a - b)).toEqual(
      [...ownGroups].sort((a, b) => a - b),
    );
    credentials.processDescriptor?.close();
    for (const descriptor of pair) addon.closeDescriptor(descriptor);
    expect(openedSince(before)).toEqual([]);
  });
}
