/** A peer of an in-process bus that is somebody else's process, as far as the bus can tell. */

import type { Bus } from "../../bus/bus.ts";
import { MemoryTransport } from "../../transport/memory-transport.ts";
import { MemoryPeer } from "./memory-peer.ts";

/** Neither root nor whoever runs the tests. */
export const OTHER_USER = 4_000_000;

/** Joins as `OTHER_USER`; the bus has to be one that lets everybody in. */
export async function joinAsOther(bus: Bus): Promise<MemoryPeer> {
  const credentials = {
    processId: 1,
    userId: OTHER_USER,
    groupId: OTHER_USER,
    groups: [OTHER_USER],
    securityLabel: null,
    processDescriptor: null,
  };
  const connection = bus.admit(credentials, -1, null, "test");
  if (connection === null) throw new Error("the bus does not let the other user in");
  const { end } = new MemoryTransport(connection, bus.stage, bus.owner, null);
  const peer = new MemoryPeer(end);
  const identity = Buffer.from(String(OTHER_USER)).toString("hex");
  end.write(Buffer.from(`\0AUTH EXTERNAL ${identity}\r\nBEGIN\r\n`));
  peer.uniqueName = String((await peer.driver("Hello")).body[0]);
  await peer.drain();
  return peer;
}
