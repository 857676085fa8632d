/** How many connections there may be, of one user and of all, and how long they may take. */

import { expect } from "@jest/globals";
import { expectError, type Scene } from "./support/conformance.ts";
import { limit, useLimits } from "./support/limited-bus.ts";
import { methodCall } from "./support/messages.ts";
import { encode } from "./support/wire.ts";

useLimits({
  max_completed_connections: 6,
  max_connections_per_user: 3,
  pending_fd_timeout: 300,
});

const other = { uid: 65534, gid: 65534, groups: [] };
const third = { uid: 1, gid: 1, groups: [] };
const asOther = (scene: Scene, until: "begin" | "hello" = "hello", identity = other) =>
  scene.peer({ until, negotiateFds: true }, identity);

limit(
  "A user has so many connections, and the next one's Hello fails",
  "max_connections_per_user",
  async (scene) => {
    const first = await asOther(scene);
    for (let count = 1; count < 3; count++) await asOther(scene);
    const refused = await asOther(scene, "begin");
    const error = await refused.call("Hello");
    expectError(
      error,
      "LimitsExceeded",
      `The maximum number of active connections for UID ${other.uid} has been reached`,
    );
    expect(error.destination).toBe(":not.active.yet");
    // It may try again.
    await scene.leave(first);
    expect(String((await refused.call("Hello")).arguments[0])).toMatch(/^:1\./);
  },
);

limit(
  "All together have so many connections, and the next one's Hello fails",
  "max_completed_connections",
  async (scene) => {
    // The observer has one.
    for (let count = 0; count < 2; count++) await scene.client();
    for (let count = 0; count < 3; count++) await asOther(scene);
    const refused = await asOther(scene, "begin", third);
    expectError(
      await refused.call("Hello"),
      "LimitsExceeded",
      "The maximum number of active connections has been reached",
    );
    // Who is in is not disturbed.
  },
);

limit(
  "Descriptors that no message claims in time end the connection",
  "pending_fd_timeout",
  async (scene) => {
    const sender = await asOther(scene);
    sender.sendBytes(Buffer.from("l"), ["a"]);
    await sender.disconnected();
  },
);

limit("Descriptors that a message has claimed do not", "pending_fd_timeout", async (scene) => {
  const [sender, receiver, witness] = [
    await asOther(scene),
    await asOther(scene),
    await asOther(scene),
  ];
  for (let round = 0; round < 3; round++) {
    const draft = { signature: "h", arguments: [0], unixFds: 1, flags: 1 };
    const bytes = encode(methodCall(receiver.uniqueName, draft), sender.takeSerial());
    sender.sendBytes(bytes.subarray(0, 1), ["a"]);
    await sender.flushed();
    sender.sendBytes(bytes.subarray(1));
    expect((await receiver.next()).files).toHaveLength(1);
  }
  // Its time is over later than theirs would be.
  witness.sendBytes(Buffer.from("l"), ["a"]);
  await witness.disconnected();
  expect(await sender.drain()).toEqual([]);
});
