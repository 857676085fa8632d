/** How many messages may wait for services being started. */

import { expect } from "@jest/globals";
import { brief } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, GONE_TO_BACKGROUND, useServices } from "./support/services.ts";

const services = useServices({ limits: { max_pending_service_starts: 4 } });

const LIMIT = "dbus-daemon: max_pending_service_starts";

function start(client: Client, name: string): number {
  return client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
}

activation(
  "No more than so many messages may wait for starts, of all clients together",
  { spec: LIMIT },
  async (scene) => {
    const [one, other] = [await scene.client(), await scene.client()];
    const names = [GONE_TO_BACKGROUND, GONE_TO_BACKGROUND].map((exec) => services.service(exec));
    const [first = "", second = ""] = names;
    const waiting = [start(one, first), one.send(methodCall(first)), one.send(methodCall(second))];
    await one.drain();
    other.send(methodCall(second));
    const serials = [start(other, first), other.send(methodCall(second))];
    for (const [index, serial] of serials.entries()) {
      const text = `The maximum number of pending activations has been reached, activation of ${names[index]} failed (max_pending_service_starts=4)`;
      expectError(await other.replyTo(serial), "LimitsExceeded", text);
    }
    // Even names that nobody could start, and names that have an owner.
    const unknown = services.newName();
    expectError(await other.replyTo(other.send(methodCall(unknown))), "LimitsExceeded");
    expectError(await other.replyTo(start(other, unknown)), "LimitsExceeded");
    // With a name that comes, its share is free again.
    await one.requestName(first);
    expect(brief(await one.replyTo(waiting[0] ?? 0))).toBe("return 1");
    expectError(await other.replyTo(other.send(methodCall(unknown))), "ServiceUnknown");
    await one.requestName(second);
  },
);

activation(
  "What a client that has left was waiting for counts until the start is over",
  { spec: LIMIT },
  async (scene) => {
    const [leaver, other] = [await scene.client(), await scene.client()];
    const name = services.service(GONE_TO_BACKGROUND);
    for (let count = 0; count < 4; count++) leaver.send(methodCall(name));
    await leaver.drain();
    await scene.leave(leaver);
    expectError(await other.replyTo(start(other, name)), "LimitsExceeded");
    await other.requestName(name);
    expect(brief(await other.replyTo(start(other, name)))).toBe("return 2");
  },
);
