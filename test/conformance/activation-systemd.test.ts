/** A bus with --systemd-activation: what it asks systemd for, and what it makes of systemd's answers. */

import { expect } from "@jest/globals";
import { brief, briefs } from "./support/brief.ts";
import { type Client, DRIVER, DRIVER_PATH } from "./support/client.ts";
import { expectError, type Scene } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";
import { type Draft, Flag, Type } from "./support/wire.ts";

const services = useServices({ usesSystemd: true });

const SYSTEMD = "org.freedesktop.systemd1";
const ACTIVATOR = "org.freedesktop.systemd1.Activator";
const ACTIVATION = "dbus-daemon: --systemd-activation";

const UNIT = "SystemdService=dbus-unit.service";

function start(client: Client, name: string): number {
  return client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
}

/** A client that has systemd's name. */
async function systemdOf(scene: Scene): Promise<Client> {
  const systemd = await scene.client();
  await systemd.requestName(SYSTEMD);
  await systemd.drain();
  return systemd;
}

/** Names for which systemd has a unit; without it their program would tell on itself. */
const served = (unit = "some.service"): string =>
  services.service("/bin/false", `SystemdService=${unit}`);

function failure(unit: string, errorName: string, text: string): Draft {
  return {
    type: Type.Signal,
    destination: DRIVER,
    path: DRIVER_PATH,
    interface: ACTIVATOR,
    member: "ActivationFailure",
    signature: "sss",
    arguments: [unit, errorName, text],
  };
}

activation(
  "Systemd is asked for the unit by a signal of the bus, once",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller] = [await systemdOf(scene), await scene.client()];
    const name = served("a.service");
    caller.send(methodCall(name));
    start(caller, name);
    await caller.drain();
    const [request, ...more] = await systemd.drain();
    expect(more).toEqual([]);
    expect(request).toMatchObject({
      type: Type.Signal,
      sender: DRIVER,
      destination: SYSTEMD,
      path: DRIVER_PATH,
      interface: ACTIVATOR,
      member: "ActivationRequest",
      signature: "s",
      arguments: ["a.service"],
    });
    expect((request?.flags ?? 0) & Flag.NoReplyExpected).toBe(Flag.NoReplyExpected);
  },
);

activation("What systemd starts gets what waited for it", { spec: ACTIVATION }, async (scene) => {
  const [systemd, caller, owner] = [
    await systemdOf(scene),
    await scene.client(),
    await scene.client(),
  ];
  const name = served();
  caller.send(methodCall(name, { signature: "u", arguments: [1] }));
  const serial = start(caller, name);
  await caller.drain();
  await systemd.drain();
  await owner.requestName(name);
  expect(briefs(await owner.drain())).toContain("call M 1");
  expect(brief(await caller.replyTo(serial))).toBe("return 1");
});

activation(
  "What names no unit is started by the bus itself, whether or not systemd is there",
  { spec: ACTIVATION },
  async (scene) => {
    const caller = await scene.client();
    const start42 = (): string => services.service("/bin/sh -c 'exit 42'");
    const text = (name: string): string => `Process ${name} exited with status 42`;
    const before = start42();
    const reply = await caller.replyTo(caller.send(methodCall(before)));
    expectError(reply, "Spawn.ChildExited", text(before));
    const systemd = await systemdOf(scene);
    const after = start42();
    const other = await caller.replyTo(caller.send(methodCall(after)));
    expectError(other, "Spawn.ChildExited", text(after));
    expect(await systemd.drain()).toEqual([]);
  },
);

activation(
  "While systemd is not there its units are waited for, and asked for when it comes",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller] = [await scene.client(), await scene.client()];
    const names = ["one.service", "two.service"].map((unit) => served(unit));
    const serials = names.map((name) => start(caller, name));
    expect(await caller.drain()).toEqual([]);
    systemd.sendCall("RequestName", { signature: "su", arguments: [SYSTEMD, 0] });
    expect(briefs(await systemd.drain())).toEqual([
      `signal NameAcquired ${SYSTEMD}`,
      "signal ActivationRequest one.service",
      "signal ActivationRequest two.service",
      "return 1",
    ]);
    const owner = await scene.client();
    for (const [index, name] of names.entries()) {
      await owner.requestName(name);
      expect(brief(await caller.replyTo(serials[index] ?? 0))).toBe("return 1");
    }
  },
);

activation(
  "Calls to systemd wait for it, though it has no service file",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller] = [await scene.client(), await scene.client()];
    caller.send(methodCall(SYSTEMD, { signature: "u", arguments: [7] }));
    const serial = start(caller, SYSTEMD);
    const name = served("late.service");
    start(caller, name);
    caller.send(methodCall(SYSTEMD, { signature: "u", arguments: [8] }));
    expect(await caller.drain()).toEqual([]);
    systemd.sendCall("RequestName", { signature: "su", arguments: [SYSTEMD, 0] });
    const seen = briefs(await systemd.drain());
    expect(seen).toEqual([
      `signal NameAcquired ${SYSTEMD}`,
      "call M 7",
      "signal ActivationRequest late.service",
      "call M 8",
      "return 1",
    ]);
    expect(brief(await caller.replyTo(serial))).toBe("return 1");
  },
);

activation(
  "StartServiceByName says that systemd runs, without a service file",
  { spec: ACTIVATION },
  async (scene) => {
    const systemd = await systemdOf(scene);
    expect(brief(await systemd.replyTo(start(systemd, SYSTEMD)))).toBe("return 2");
  },
);

activation(
  "A call to systemd with NO_AUTO_START does not wait",
  { spec: ACTIVATION },
  async (scene) => {
    const caller = await scene.client();
    const serial = caller.send(methodCall(SYSTEMD, { flags: Flag.NoAutoStart }));
    expectError(await caller.replyTo(serial), "NameHasNoOwner");
  },
);

activation(
  "Systemd says why a unit was not started: everybody who waits for it is told, and nobody else",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller, other] = [
      await systemdOf(scene),
      await scene.client(),
      await scene.client(),
    ];
    const [first, second] = [served("shared.service"), served("shared.service")];
    const [else_, text] = [served("else.service"), "Unit shared.service is masked."];
    const own = [start(caller, first), caller.send(methodCall(second))];
    const others = [other.send(methodCall(first)), start(other, else_)];
    await caller.drain();
    await other.drain();
    systemd.send(failure("shared.service", "org.example.Masked", text));
    for (const serial of own) {
      const reply = await caller.replyTo(serial);
      expect([reply.errorName, ...reply.arguments]).toEqual(["org.example.Masked", text]);
    }
    const reply = await other.replyTo(others[0] ?? 0);
    expect([reply.errorName, ...reply.arguments]).toEqual(["org.example.Masked", text]);
    await other.requestName(else_);
    expect(brief(await other.replyTo(others[1] ?? 0))).toBe("return 1");
  },
);

activation(
  "After a failure the next message asks systemd again",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller] = [await systemdOf(scene), await scene.client()];
    const name = served("again.service");
    for (const round of [1, 2]) {
      const serial = caller.send(methodCall(name));
      await caller.drain();
      expect(briefs(await systemd.drain())).toEqual(["signal ActivationRequest again.service"]);
      systemd.send(failure("again.service", "org.example.Failed", `round ${round}`));
      expect((await caller.replyTo(serial)).arguments).toEqual([`round ${round}`]);
    }
  },
);

activation(
  "Nobody but systemd can say that a unit has failed",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, forger, caller] = [
      await systemdOf(scene),
      await scene.client(),
      await scene.client(),
    ];
    const name = served("forged.service");
    const serial = start(caller, name);
    await caller.drain();
    await systemd.drain();
    forger.send(failure("forged.service", "org.example.Forged", "no"));
    expect(await forger.drain()).toEqual([]);
    expect(await caller.drain()).toEqual([]);
    await forger.requestName(name);
    expect(brief(await caller.replyTo(serial))).toBe("return 1");
  },
);

activation("Nobody can say it while systemd is not there", { spec: ACTIVATION }, async (scene) => {
  const [forger, caller] = [await scene.client(), await scene.client()];
  const name = served("forged.service");
  const serial = start(caller, name);
  await caller.drain();
  forger.send(failure("forged.service", "org.example.Forged", "no"));
  await forger.drain();
  expect(await caller.drain()).toEqual([]);
  await forger.requestName(name);
  expect(brief(await caller.replyTo(serial))).toBe("return 1");
});

activation(
  "An answer about a unit that nobody waits for means nothing",
  { spec: ACTIVATION },
  async (scene) => {
    const systemd = await systemdOf(scene);
    systemd.send(failure("nobody-waits.service", "org.example.Failed", "x"));
    expect(await systemd.drain()).toEqual([]);
  },
);

activation(
  "A unit that is asked for may have any name, even none",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller] = [await systemdOf(scene), await scene.client()];
    for (const unit of ["", "with blanks.service", "ünit@1.service"]) {
      const serial = start(caller, served(unit));
      await caller.drain();
      const [request] = await systemd.drain();
      expect(request?.arguments).toEqual([unit]);
      systemd.send(failure(unit, "org.example.Failed", "no"));
      expect((await caller.replyTo(serial)).errorName).toBe("org.example.Failed");
    }
  },
);

activation(
  "A program that fails takes those with it that have the same Exec and wait for systemd",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [systemd, caller] = [await systemdOf(scene), await scene.client()];
    const exec = "/bin/sh -c 'exit 3'";
    const waiting = start(caller, services.service(exec, UNIT));
    await caller.drain();
    expect(briefs(await systemd.drain())).toEqual(["signal ActivationRequest dbus-unit.service"]);
    const failing = start(caller, services.service(exec));
    for (const serial of [waiting, failing]) {
      expectError(await caller.replyTo(serial), "Spawn.ChildExited");
    }
  },
);

activation(
  "Systemd may leave after it was asked: what it has started is still waited for",
  { spec: ACTIVATION },
  async (scene) => {
    const [systemd, caller, owner] = [
      await systemdOf(scene),
      await scene.client(),
      await scene.client(),
    ];
    const serial = start(caller, served("left.service"));
    const name = served("left-too.service");
    const other = start(caller, name);
    await caller.drain();
    await scene.leave(systemd);
    expect(await caller.drain()).toEqual([]);
    await owner.requestName(name);
    expect(brief(await caller.replyTo(other))).toBe("return 1");
    const again = await systemdOf(scene);
    again.send(failure("left.service", "org.example.Failed", "no"));
    expect((await caller.replyTo(serial)).errorName).toBe("org.example.Failed");
  },
);

activation(
  "A monitor sees that systemd is asked, also while it is not there",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [monitor, caller] = [await scene.client(), await scene.client()];
    await monitor.call("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [["member='ActivationRequest'"], 0],
    });
    const name = served("seen.service");
    start(caller, name);
    const seen = await monitor.first(({ member }) => member === "ActivationRequest");
    expect(seen.arguments).toEqual(["seen.service"]);
    await caller.requestName(name);
  },
);
