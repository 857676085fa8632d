/** A system bus that works with systemd and has a helper for what systemd does not start; and what has an end there. */

import { expect } from "@jest/globals";
import { brief, briefs } from "./support/brief.ts";
import { type Client, DRIVER, DRIVER_PATH } from "./support/client.ts";
import { expectError, type Scene } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";
import { Type } from "./support/wire.ts";

const TIMEOUT_MS = 1500;
const LIMIT = 4;
const NOBODY = 65534;
const services = useServices({
  type: "system",
  helper: "stand-in",
  usesSystemd: true,
  limits: { service_start_timeout: TIMEOUT_MS, max_pending_service_starts: LIMIT },
});

const SYSTEMD = "org.freedesktop.systemd1";
const ACTIVATION = "dbus-daemon: --systemd-activation";

function start(client: Client, name: string): number {
  return client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
}

async function systemdOf(scene: Scene): Promise<Client> {
  const systemd = await scene.client();
  await systemd.requestName(SYSTEMD);
  await systemd.drain();
  return systemd;
}

const timedOut = (name: string): string =>
  `Failed to activate service '${name}': timed out (service_start_timeout=${TIMEOUT_MS}ms)`;

activation(
  "What systemd starts needs no User, and no helper is asked",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller] = [await systemdOf(scene), await scene.client()];
    const name = services.service("/bin/false", "SystemdService=no-user.service");
    services.write(`helped/${name}`, "exit 5\n");
    const serial = start(caller, name);
    await caller.drain();
    expect(briefs(await systemd.drain())).toEqual(["signal ActivationRequest no-user.service"]);
    await caller.requestName(name);
    expect(brief(await caller.replyTo(serial))).toBe("return 1");
  },
);

activation("What names no unit is left to the helper", { spec: ACTIVATION }, async (scene) => {
  const [systemd, caller] = [await systemdOf(scene), await scene.client()];
  const name = services.helped("exit 6");
  const other = services.service("/bin/false");
  expectError(await caller.replyTo(start(caller, name)), "Spawn.ServiceNotFound");
  expectError(await caller.replyTo(start(caller, other)), "Spawn.FileInvalid");
  expect(await systemd.drain()).toEqual([]);
});

activation(
  "Who is neither root nor the bus's user is told that he may not speak for systemd",
  { spec: "dbus-daemon" },
  async (scene) => {
    const stranger = await scene.peer({}, { uid: NOBODY, gid: NOBODY, groups: [] });
    await stranger.requestName(SYSTEMD);
    await stranger.drain();
    const serial = stranger.send({
      type: Type.Signal,
      destination: DRIVER,
      path: DRIVER_PATH,
      interface: "org.freedesktop.systemd1.Activator",
      member: "ActivationFailure",
      signature: "sss",
      arguments: ["x.service", "org.example.Failed", "x"],
    });
    const text = "rejected attempt to call ActivationFailure by connection";
    expectError(await stranger.replyTo(serial), "AccessDenied", text);
    await scene.leave(stranger);
  },
);

activation(
  "A unit that does not come in time fails, and a late answer of systemd means nothing",
  { spec: "dbus-daemon: service_start_timeout" },
  async (scene) => {
    const [systemd, caller] = [await systemdOf(scene), await scene.client()];
    const name = services.service("/bin/false", "SystemdService=slow.service");
    const serials = [caller.send(methodCall(name)), start(caller, name)];
    for (const serial of serials) {
      expectError(await caller.replyTo(serial), "TimedOut", timedOut(name));
    }
    await systemd.drain();
    systemd.send({
      type: Type.Signal,
      destination: DRIVER,
      path: DRIVER_PATH,
      interface: "org.freedesktop.systemd1.Activator",
      member: "ActivationFailure",
      signature: "sss",
      arguments: ["slow.service", "org.example.Failed", "x"],
    });
    expect(await systemd.drain()).toEqual([]);
    expect(await caller.drain()).toEqual([]);
  },
);

activation(
  "Systemd that does not come in time fails what waits for it, and is then asked for nothing",
  { spec: "dbus-daemon: service_start_timeout" },
  async (scene) => {
    const [systemd, caller] = [await scene.client(), await scene.client()];
    const name = services.service("/bin/false", "SystemdService=never.service");
    const toSystemd = caller.send(methodCall(SYSTEMD));
    const serial = start(caller, name);
    expectError(await caller.replyTo(toSystemd), "TimedOut", timedOut(SYSTEMD));
    expectError(await caller.replyTo(serial), "TimedOut", timedOut(name));
    systemd.sendCall("RequestName", { signature: "su", arguments: [SYSTEMD, 0] });
    expect(briefs(await systemd.drain())).toEqual([`signal NameAcquired ${SYSTEMD}`, "return 1"]);
  },
);

activation(
  "A bus asks for no more at a time than max_pending_service_starts",
  { spec: "dbus-daemon: max_pending_service_starts" },
  async (scene) => {
    const [systemd, caller] = [await systemdOf(scene), await scene.client()];
    const names = Array.from({ length: LIMIT + 1 }, (_, index) =>
      services.service("/bin/false", `SystemdService=unit${index}.service`),
    );
    const serials = names.map((name) => start(caller, name));
    const refused = await caller.replyTo(serials.at(-1) ?? 0);
    const text = `The maximum number of pending activations has been reached, activation of ${names.at(-1)} failed (max_pending_service_starts=${LIMIT})`;
    expectError(refused, "LimitsExceeded", text);
    expect(await systemd.drain()).toHaveLength(LIMIT);
    for (const name of names.slice(0, -1)) await caller.requestName(name);
  },
);

activation(
  "While systemd is not there, that it has to be asked counts as another start",
  {
    spec: "dbus-daemon: max_pending_service_starts",
    excused: { onehop: "a start counts once" },
  },
  async (scene) => {
    const caller = await scene.client();
    const names = Array.from({ length: LIMIT }, (_, index) =>
      services.service("/bin/false", `SystemdService=double${index}.service`),
    );
    for (const name of names.slice(0, LIMIT / 2)) start(caller, name);
    expect(await caller.drain()).toEqual([]);
    expectError(await caller.replyTo(start(caller, names.at(-1) ?? "")), "LimitsExceeded");
  },
);
