/** A peer of an in-process bus that is somebody else's process, as far as the bus can tell. */

import type { Bus } from "../../bus/bus.ts";
import { MemoryTransport } from "../../transport/memory-transport.ts";
import { MemoryPeer } from "./memory-peer.ts";

/** Neither root nor whoever runs the tests. */
export const OTHER_USER = 4_000_000;

/** Joins as another user; the bus has to be one that lets everybody in. */
export async function joinAsOther(bus: Bus, userId = OTHER_USER): Promise<MemoryPeer> {
  const peer = connectAsOther(bus, userId);
  if (peer === null) throw new Error("the bus does not let the other user in");
  peer.uniqueName = String((await peer.driver("Hello")).body[0]);
  await peer.drain();
  return peer;
}

/** Authenticated, before Hello; null if the bus does not even accept the connection. */
export function connectAsOther(bus: Bus, userId = OTHER_USER): MemoryPeer | null {
  const credentials = {
    processId: 1,
    userId,
    groupId: userId,
    groups: [userId],
    securityLabel: null,
    processDescriptor: null,
  };
  const connection = bus.admit(credentials, -1, null, "test");
  if (connection === null) return null;
  const { end } = new MemoryTransport(connection, bus.stage, bus.owner, null);
  const peer = new MemoryPeer(end);
  const identity = Buffer.from(String(userId)).toString("hex");
  end.write(Buffer.from(`\0AUTH EXTERNAL ${identity}\r\nBEGIN\r\n`));
  return peer;
}
