/** Answers of the bus itself that are larger than the room it usually writes them in. */

import { expect, test } from "@jest/globals";
import { createBus } from "../../bus/bus.ts";
import { MemoryPeer } from "../support/memory-peer.ts";

const HUGE = "x".repeat(3 << 20);

test.each([
  ["GetNameOwner", "s", [HUGE]],
  ["RequestName", "su", [HUGE, 0]],
  ["GetConnectionUnixUser", "s", [HUGE]],
  ["AddMatch", "s", [HUGE]],
  ["StartServiceByName", "su", [HUGE, 0]],
] as const)(
  "%s with an argument of 3 MiB is an error like any other",
  async (member, signature, body) => {
    const bus = createBus();
    const peer = await MemoryPeer.join(bus);
    const reply = await peer.driver(member, signature, body);
    expect(reply.errorName).toMatch(/^org\.freedesktop\.DBus\.Error\./);
    expect((await peer.driver("GetId")).body).toEqual([bus.guid]);
  },
);

test("thousands of long names are listed", async () => {
  const bus = createBus();
  const peer = await MemoryPeer.join(bus);
  const names = Array.from({ length: 5000 }, (_, n) => `org.example.N${n}${"x".repeat(230)}`);
  await Promise.all(names.map((name) => peer.driver("RequestName", "su", [name, 0])));
  const [list] = (await peer.driver("ListNames")).body as [string[]];
  expect(list).toHaveLength(names.length + 2);
  expect(new Set(list)).toEqual(new Set(["org.freedesktop.DBus", peer.uniqueName, ...names]));
});
