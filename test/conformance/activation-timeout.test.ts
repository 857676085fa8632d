/** How long a start may take. */

import { expect } from "@jest/globals";
import { brief } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, GONE_TO_BACKGROUND, useServices } from "./support/services.ts";

const TIMEOUT_MS = 1500;
const services = useServices({ limits: { service_start_timeout: TIMEOUT_MS } });

const TIMEOUT = "dbus-daemon: service_start_timeout";

function start(client: Client, name: string): number {
  return client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
}

const timedOut = (name: string): string =>
  `Failed to activate service '${name}': timed out (service_start_timeout=${TIMEOUT_MS}ms)`;

activation(
  "A program that never takes its name fails when the time is up",
  { spec: TIMEOUT },
  async (scene) => {
    const client = await scene.client();
    const name = services.service("/bin/sleep 60");
    const serials = [client.send(methodCall(name)), start(client, name)];
    for (const serial of serials) {
      expectError(await client.replyTo(serial), "TimedOut", timedOut(name));
    }
  },
);

activation("A program whose time is up is killed", { spec: TIMEOUT }, async (scene) => {
  const client = await scene.client();
  const report = services.report();
  const name = services.service(services.script(`exec > ${report.path}`, "exec sleep 60"));
  const serial = start(client, name);
  // Its end is the end of what it writes.
  expect(await report.read()).toBe("");
  expectError(await client.replyTo(serial), "TimedOut");
});

activation(
  "A program that ended with status 0 and left nobody to take the name fails when the time is up",
  { spec: TIMEOUT },
  async (scene) => {
    const client = await scene.client();
    const name = services.service(GONE_TO_BACKGROUND);
    expectError(await client.replyTo(start(client, name)), "TimedOut", timedOut(name));
  },
);

activation(
  "A program that takes another name fails when the time is up",
  { spec: TIMEOUT },
  async (scene) => {
    const client = await scene.client();
    const other = services.newName();
    const name = services.service(`/usr/bin/dbus-test-tool echo --session --name=${other}`);
    expectError(await client.replyTo(start(client, name)), "TimedOut", timedOut(name));
  },
);

activation(
  "Who takes the name after the time is up gets nothing that waited for it",
  { spec: TIMEOUT },
  async (scene) => {
    const [client, owner] = [await scene.client(), await scene.client()];
    const name = services.service(GONE_TO_BACKGROUND);
    await client.replyTo(client.send(methodCall(name)));
    await owner.requestName(name);
    expect((await owner.drain()).map(brief)).toEqual([`signal NameAcquired ${name}`]);
  },
);

activation(
  "A start in time is not disturbed when the time is up",
  { spec: TIMEOUT },
  async (scene) => {
    const client = await scene.client();
    const beginning = services.report();
    const report = services.report();
    const lines = [
      `echo begun > ${beginning.path}`,
      `exec > ${report.path}`,
      `sleep ${(TIMEOUT_MS / 1000) * 2}`,
      "echo lives",
    ];
    const name = services.service(services.script(...lines));
    const serial = start(client, name);
    // dbus-daemon may not come to run a program whose name is taken at once.
    expect(await beginning.read()).toBe("begun\n");
    await client.requestName(name);
    expect(brief(await client.replyTo(serial))).toBe("return 1");
    expect(await report.read()).toBe("lives\n");
  },
);
