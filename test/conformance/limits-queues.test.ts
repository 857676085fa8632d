/** How much may wait for one connection, by a receiver that does not read. */

import { expect } from "@jest/globals";
import type { Client } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { limit, useLimits } from "./support/limited-bus.ts";
import { methodCall } from "./support/messages.ts";

const MOST = 300_000;

useLimits({ max_outgoing_bytes: MOST });

const large = { signature: "s", arguments: ["x".repeat(100_000)] };

/** Calls until one is refused; how many were not, and the error. */
async function fill(sender: Client, receiver: Client, call: () => number) {
  receiver.stopReading();
  for (let count = 0; count < 200; count++) {
    const serial = call();
    const errors = (await sender.drain()).filter(({ replySerial }) => replySerial === serial);
    const [error] = errors;
    if (error !== undefined) return { count, error };
  }
  throw new Error("nothing was refused");
}

limit(
  "A call to a receiver whose queue is full is refused",
  "max_outgoing_bytes",
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const { count, error } = await fill(sender, receiver, () =>
      sender.send(methodCall(receiver.uniqueName, large)),
    );
    expectError(error, "LimitsExceeded", "Rejected: destination has a full message queue");
    expect(error.sender).toBe("org.freedesktop.DBus");
    expect(count).toBeGreaterThan(2);
    // It is still there.
    expect((await sender.ask("NameHasOwner", "s", receiver.uniqueName)).arguments).toEqual([true]);
  },
);
