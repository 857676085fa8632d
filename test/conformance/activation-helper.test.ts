/** Services of other users: a bus with `<servicehelper>` has all of them started by that program. */

import { expect } from "@jest/globals";
import { brief } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";

const TIMEOUT_MS = 3000;
const services = useServices({
  type: "system",
  helper: "stand-in",
  limits: { service_start_timeout: TIMEOUT_MS },
  environment: { ONEHOP_TEST_INHERITED: "yes" },
});

const HELPER = "dbus-daemon: servicehelper";

function start(client: Client, name: string): number {
  return client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
}

const unknownCode = (code: number): [string, string] => [
  "Spawn.ChildExited",
  `Launch helper exited with unknown return code ${code}`,
];

/** What the statuses of the helper are told as. */
const STATUSES: readonly (readonly [status: number, error: string, text: string])[] = [
  [1, ...unknownCode(1)],
  [2, "NoMemory", "Launcher could not run (out of memory)"],
  [3, "Spawn.ConfigInvalid", "Invalid configuration (missing or empty <user>?)"],
  [4, "Spawn.FailedToSetup", "Failed to setup environment correctly"],
  [5, "Spawn.ServiceNotValid", "Bus name is not valid or missing"],
  [6, "Spawn.ServiceNotFound", "Bus name not found in system service directory"],
  [7, "Spawn.PermissionsInvalid", "The permission of the setuid helper is not correct"],
  [
    8,
    "Spawn.PermissionsInvalid",
    "The service file is incorrect or does not have all required attributes",
  ],
  [9, "Spawn.ExecFailed", "Cannot launch daemon, file not found or permissions invalid"],
  [10, "InvalidArgs", "Invalid arguments to command line"],
  [11, "Spawn.ChildSignaled", "Launched child was signaled, it probably crashed"],
  [12, ...unknownCode(12)],
  [127, ...unknownCode(127)],
  [255, ...unknownCode(255)],
];

for (const [status, error, text] of STATUSES) {
  activation(
    `A helper that ends with ${status} is told as ${error}`,
    { spec: HELPER },
    async (scene) => {
      const client = await scene.client();
      const name = services.helped(`exit ${status}`);
      const serials = [client.send(methodCall(name)), start(client, name)];
      for (const serial of serials) {
        const reply = await client.replyTo(serial);
        expectError(reply, error);
        expect(reply.arguments).toEqual([text]);
      }
    },
  );
}

activation("A helper that a signal ends fails the start", { spec: HELPER }, async (scene) => {
  const client = await scene.client();
  const name = services.helped("kill -9 $$");
  const error = await client.replyTo(client.send(methodCall(name)));
  expectError(error, "Spawn.ChildSignaled", `Process ${name} received signal 9`);
});

activation(
  "A helper that ends with 0 may have gone to the background",
  { spec: HELPER },
  async (scene) => {
    const [client, owner] = [await scene.client(), await scene.client()];
    const name = services.helped("exit 0");
    const serials = [client.send(methodCall(name)), start(client, name)];
    expect(await client.drain()).toEqual([]);
    await owner.requestName(name);
    expect(brief(await client.replyTo(serials[1] ?? 0))).toBe("return 1");
  },
);

activation("A helper is killed when the time is up", { spec: HELPER }, async (scene) => {
  const client = await scene.client();
  const report = services.report();
  const name = services.helped(`exec > ${report.path}`, "exec sleep 60");
  const serial = start(client, name);
  // Its end is the end of what it writes.
  expect(await report.read()).toBe("");
  const text = `Failed to activate service '${name}': timed out (service_start_timeout=${TIMEOUT_MS}ms)`;
  expectError(await client.replyTo(serial), "TimedOut", text);
});

activation(
  "The helper gets the name, and nothing of the service file",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    const report = services.report();
    const name = services.helped(`printf '%s\\n' "$#" "$@" > ${report.path}`);
    start(client, name);
    expect(await report.read()).toBe(`1\n${name}\n`);
  },
);

activation("The helper finds the bus in its environment", { spec: HELPER }, async (scene) => {
  const client = await scene.client();
  const report = services.report();
  start(client, services.helped(`env > ${report.path}`));
  const found = (await report.read()).split("\n");
  expect(found).toContain("DBUS_STARTER_BUS_TYPE=system");
  expect(found).toContain(`DBUS_STARTER_ADDRESS=${scene.address}`);
  expect(found).toContain(`DBUS_SYSTEM_BUS_ADDRESS=${scene.address}`);
  expect(found).toContain("ONEHOP_TEST_INHERITED=yes");
  expect(found.filter((each) => each.startsWith("DBUS_SESSION_BUS_ADDRESS="))).toEqual(
    process.env["DBUS_SESSION_BUS_ADDRESS"] === undefined
      ? []
      : [`DBUS_SESSION_BUS_ADDRESS=${process.env["DBUS_SESSION_BUS_ADDRESS"]}`],
  );
});

activation(
  "Where there is a helper nobody changes the environment of services",
  { spec: "UpdateActivationEnvironment" },
  async (scene) => {
    const client = await scene.client();
    const serial = client.sendCall("UpdateActivationEnvironment", {
      signature: "a{ss}",
      arguments: [[["ONEHOP_TEST_INHERITED", "changed"]]],
    });
    const text = "Cannot change activation environment on a system bus.";
    expectError(await client.replyTo(serial), "AccessDenied", text);
    const report = services.report();
    start(client, services.helped(`env > ${report.path}`));
    expect((await report.read()).split("\n")).toContain("ONEHOP_TEST_INHERITED=yes");
  },
);

activation(
  "Without User a service is not started where there is a helper",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    const report = services.report();
    const name = services.service(services.script(`echo no > ${report.path}`));
    for (const serial of [client.send(methodCall(name)), start(client, name)]) {
      const text = "Cannot do system-bus activation with no user\n";
      const reply = await client.replyTo(serial);
      expectError(reply, "Spawn.FileInvalid", text);
      expect(reply.arguments).toEqual([text]);
    }
    // Nothing is left of it: the name can be taken, and is not waited for.
    expect(await client.requestName(name)).toBe(1);
  },
);

activation(
  "What Exec says is the helper's business: quotes that are not closed, no program",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    for (const exec of ["/bin/true 'a", "/nowhere/at/all"]) {
      const name = services.service(exec, "User=nobody");
      services.write(`helped/${name}`, "exit 9\n");
      expectError(await client.replyTo(start(client, name)), "Spawn.ExecFailed", "Cannot launch");
    }
  },
);

activation(
  "A service file that is not called like its name is given to the helper all the same",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    const name = services.newName();
    services.write(
      `first/other${name}.service`,
      `[D-BUS Service]\nName=${name}\nExec=/bin/false\nUser=root\n`,
    );
    services.write(`helped/${name}`, "exit 6\n");
    expectError(await client.replyTo(start(client, name)), "Spawn.ServiceNotFound");
  },
);

activation(
  "A helper that fails for one name fails all with the same Exec that are being started",
  { spec: HELPER },
  async (scene) => {
    const client = await scene.client();
    const report = services.report();
    const waiting = start(client, services.helped("exit 0"));
    const failing = start(client, services.helped(`read line < ${report.path}`, "exit 3"));
    await client.drain();
    report.write("go\n");
    for (const serial of [waiting, failing]) {
      expectError(await client.replyTo(serial), "Spawn.ConfigInvalid");
    }
  },
);
