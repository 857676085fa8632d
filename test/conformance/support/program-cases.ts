/** Cases in which programs of others use the bus: the same for every user. */

import { join } from "node:path";
import { expect } from "@jest/globals";
import type { Client } from "./client.ts";
import { conformance, notRun, type Scene, useBus } from "./conformance.ts";
import { methodReturn, signal } from "./messages.ts";
import { isOnPath, PYTHON } from "./programs.ts";
import { PROGRAM_MS, type Running, startProgram } from "./running-program.ts";
import { Type } from "./wire.ts";

/** Declares the cases on a bus that runs as `uid`, with programs that run as the same user. */
export function programCases(who: string, uid?: number): void {
  if (uid !== undefined && process.getuid?.() !== 0) {
    useBus();
    conformance(`Programs as ${who}`, { spec: "programs" }, async () =>
      notRun("only root can be somebody else"),
    );
    return;
  }
  useBus(uid === undefined ? {} : { uid });

  const start = (scene: Scene, program: string, ...values: string[]): Running =>
    startProgram(scene, uid, program, values);

  const output = async (scene: Scene, program: string, ...values: string[]): Promise<string> => {
    const { output, errors, status } = await start(scene, program, ...values).finished;
    expect({ status, errors }).toEqual({ status: 0, errors: expect.anything() });
    return output;
  };

  const programCase = (
    program: string,
    sentence: string,
    body: (scene: Scene) => Promise<void>,
  ): void =>
    conformance(`${program} as ${who} ${sentence}`, { spec: "programs" }, async (scene) => {
      if (program !== "node" && !isOnPath(program)) return notRun(`${program} is not installed`);
      await body(scene);
    });

  const raw = (scene: Scene): Promise<Client> =>
    uid === undefined ? scene.client() : scene.peer({}, { uid, gid: uid, groups: [] });

  programCase("gdbus", "calls the driver", async (scene) => {
    const text = await output(
      scene,
      "gdbus",
      "call",
      "--session",
      ...DRIVER_OBJECT,
      "--method",
      "org.freedesktop.DBus.GetId",
    );
    expect(text).toMatch(/^\('[0-9a-f]{32}',\)\n$/);
  });

  programCase("gdbus", "calls a peer and prints its answer", async (scene) => {
    const peer = await raw(scene);
    await peer.requestName("org.example.Gdbus");
    const call = start(
      scene,
      "gdbus",
      "call",
      "--session",
      "--dest",
      "org.example.Gdbus",
      "--object-path",
      "/o",
      "--method",
      "org.example.I.M",
      "'text'",
      "7",
    );
    await answerIntrospection(peer);
    const message = await peer.first(({ member }) => member === "M");
    peer.send(
      methodReturn(message.sender ?? "", message.serial, {
        signature: "as",
        arguments: [["a", "b"]],
      }),
    );
    expect((await call.finished).output).toBe("(['a', 'b'],)\n");
  });

  programCase("gdbus", "emits a signal", async (scene) => {
    const peer = await raw(scene);
    await peer.addMatch("type='signal',interface='org.example.Emitted'");
    await output(
      scene,
      "gdbus",
      "emit",
      "--session",
      "--object-path",
      "/o",
      "--signal",
      "org.example.Emitted.S",
      "'text'",
    );
    expect(await peer.first(({ member }) => member === "S")).toMatchObject({
      path: "/o",
      arguments: ["text"],
    });
  });

  programCase("gdbus", "monitors the signals of a name", async (scene) => {
    const peer = await raw(scene);
    await peer.requestName("org.example.Monitored");
    const monitor = start(
      scene,
      "gdbus",
      "monitor",
      "--session",
      "--dest",
      "org.example.Monitored",
    );
    await monitor.printed(/is owned by/);
    // It prints that before it asks for the signals: the first ones may come too early for it.
    while (!monitor.hasPrinted(/Seen/)) {
      peer.send(signal({ member: "Seen", signature: "s", arguments: ["text"] }));
      await peer.drain();
    }
    expect(await monitor.printed(/Seen.*\n/)).toContain("org.example.Interface.Seen ('text',)");
    monitor.stop();
    await monitor.finished;
  });

  programCase("gdbus", "waits for a name", async (scene) => {
    const peer = await raw(scene);
    const wait = start(
      scene,
      "gdbus",
      "wait",
      "--session",
      "--timeout",
      "10",
      "org.example.Awaited",
    );
    await peer.requestName("org.example.Awaited");
    expect((await wait.finished).status).toBe(0);
  });

  programCase("gdbus", "introspects the driver", async (scene) => {
    const text = await output(scene, "gdbus", "introspect", "--session", ...DRIVER_OBJECT);
    expect(text).toContain("interface org.freedesktop.DBus {");
    expect(text).toContain("RequestName(");
  });

  programCase("busctl", "calls the driver", async (scene) => {
    const text = await output(
      scene,
      "busctl",
      `--address=${scene.address}`,
      "call",
      "org.freedesktop.DBus",
      "/org/freedesktop/DBus",
      "org.freedesktop.DBus",
      "NameHasOwner",
      "s",
      "org.freedesktop.DBus",
    );
    expect(text).toBe("b true\n");
  });

  programCase("busctl", "lists names with their processes", async (scene) => {
    const peer = await raw(scene);
    await peer.requestName("org.example.Busctl");
    const text = await output(scene, "busctl", `--address=${scene.address}`, "--no-pager", "list");
    expect(text).toMatch(new RegExp(`org\\.example\\.Busctl +${peer.processId} `));
    expect(text).toContain(peer.uniqueName);
  });

  programCase("busctl", "tells the status of a peer", async (scene) => {
    const peer = await raw(scene);
    const text = await output(
      scene,
      "busctl",
      `--address=${scene.address}`,
      "--no-pager",
      "status",
      peer.uniqueName,
    );
    expect(text).toContain(`PID=${peer.processId}`);
    expect(text).toContain(`UniqueName=${peer.uniqueName}`);
  });

  programCase("busctl", "introspects the driver", async (scene) => {
    const text = await output(
      scene,
      "busctl",
      `--address=${scene.address}`,
      "--no-pager",
      "introspect",
      "org.freedesktop.DBus",
      "/org/freedesktop/DBus",
    );
    expect(text).toMatch(/\.RequestName +method +su +u/);
    expect(text).toMatch(/\.Features +property +as/);
  });

  programCase("dbus-send", "prints the driver's reply", async (scene) => {
    const text = await output(
      scene,
      "dbus-send",
      "--session",
      "--print-reply",
      "--dest=org.freedesktop.DBus",
      "/org/freedesktop/DBus",
      "org.freedesktop.DBus.ListNames",
    );
    expect(text).toMatch(/^method return time=.* sender=org\.freedesktop\.DBus -> destination=:/);
    expect(text).toContain('string "org.freedesktop.DBus"');
  });

  programCase("dbus-send", "reports an error by its name and fails", async (scene) => {
    const { errors, status } = await start(
      scene,
      "dbus-send",
      "--session",
      "--print-reply",
      "--dest=org.example.Missing",
      "/",
      "org.example.I.M",
    ).finished;
    expect(errors).toContain("org.freedesktop.DBus.Error.ServiceUnknown");
    expect(status).toBe(1);
  });

  programCase("dbus-send", "sends a signal", async (scene) => {
    const peer = await raw(scene);
    await peer.addMatch("type='signal',interface='org.example.Sent'");
    await output(
      scene,
      "dbus-send",
      "--session",
      "/o",
      "org.example.Sent.S",
      "int32:5",
      "array:string:a,b",
    );
    expect((await peer.first(({ member }) => member === "S")).arguments).toEqual([5, ["a", "b"]]);
  });

  programCase("dbus-test-tool", "echoes a thousand calls", async (scene) => {
    const echo = await ownedBy(scene, raw, "org.example.Echo", () =>
      start(scene, "dbus-test-tool", "echo", "--session", "--name=org.example.Echo"),
    );
    await output(
      scene,
      "dbus-test-tool",
      "spam",
      "--session",
      "--dest=org.example.Echo",
      "--count=1000",
      "--queue=50",
      "--string",
    );
    echo.stop();
    await echo.finished;
  });

  programCase(
    PYTHON.split("/").at(-1) ?? PYTHON,
    "with dbus-python serves and calls, with signals, errors and descriptors",
    async (scene) => {
      const { status } = await start(scene, PYTHON, "-c", "import dbus, gi").finished;
      if (status !== 0) return notRun("python3-dbus or python3-gi is not installed");
      const script = join(import.meta.dirname, "dbus-python.py");
      const service = await ownedBy(scene, raw, "org.example.Python", () =>
        start(scene, PYTHON, script, "service"),
      );
      expect(JSON.parse(await output(scene, PYTHON, script, "client"))).toEqual({
        sum: 5,
        read: "from the client",
        opened: "from the service",
        signals: [5, 50],
        introspected: true,
        owner: true,
        error: "org.example.Purpose",
      });
      expect((await service.finished).status).toBe(0);
    },
  );

  programCase(
    "node",
    "with dbus-next serves and calls, with signals and properties",
    async (scene) => {
      const script = join(import.meta.dirname, "dbus-next-round-trip.mjs");
      expect(JSON.parse(await output(scene, process.execPath, script))).toEqual({
        requested: 1,
        sum: 5,
        signal: 5,
        error: "org.example.Purpose",
        changed: 7,
        level: 7,
        listed: true,
        released: 1,
        gone: true,
      });
    },
  );
}

const DRIVER_OBJECT = ["--dest", "org.freedesktop.DBus", "--object-path", "/org/freedesktop/DBus"];

/** Starts a program and waits until it owns `name`. */
async function ownedBy(
  scene: Scene,
  raw: (scene: Scene) => Promise<Client>,
  name: string,
  start: () => Running,
): Promise<Running> {
  const watcher = await raw(scene);
  await watcher.addMatch(`member='NameOwnerChanged',arg0='${name}'`);
  const running = start();
  await watcher.first(
    ({ member, arguments: [changed] }) => member === "NameOwnerChanged" && changed === name,
    `an owner of ${name}`,
    PROGRAM_MS,
  );
  return running;
}

/** gdbus asks for the interface first, and goes on without it if it gets an error. */
async function answerIntrospection(peer: Client): Promise<void> {
  const { sender, serial } = await peer.first(
    ({ member }) => member === "Introspect",
    "Introspect",
    PROGRAM_MS,
  );
  peer.send({
    type: Type.Error,
    errorName: "org.freedesktop.DBus.Error.UnknownMethod",
    destination: sender ?? "",
    replySerial: serial,
  });
}
