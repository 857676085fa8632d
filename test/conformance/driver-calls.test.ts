/** How the driver is called: interfaces, paths, signatures, properties, introspection. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import {
  type Client,
  DRIVER,
  DRIVER_PATH,
  INTROSPECTABLE,
  PEER,
  PROPERTIES,
} from "./support/client.ts";
import { conformance, expectError, useBus } from "./support/conformance.ts";
import { Flag, Type, type Variant } from "./support/wire.ts";

useBus();

const CALL = "Message types: METHOD_CALL";
const PROPERTY = "org.freedesktop.DBus.Properties";

const getProperty = (client: Client, interfaceName: string, property: string, path = DRIVER_PATH) =>
  client.call("Get", {
    interface: PROPERTIES,
    path,
    signature: "ss",
    arguments: [interfaceName, property],
  });

conformance(
  "An unknown member of a known interface is an UnknownMethod",
  { spec: CALL },
  async (scene) => {
    const client = await scene.client();
    for (const interfaceName of [DRIVER, INTROSPECTABLE, PEER]) {
      expectError(
        await client.call("Nope", { interface: interfaceName }),
        "UnknownMethod",
        "org.freedesktop.DBus does not understand message Nope",
      );
    }
  },
);

conformance("An unknown interface is an UnknownInterface", { spec: CALL }, async (scene) => {
  const client = await scene.client();
  expectError(
    await client.call("GetId", { interface: "org.example.Nope" }),
    "UnknownInterface",
    "org.freedesktop.DBus does not understand message GetId",
  );
});

conformance(
  "A member without an interface is searched for everywhere",
  { spec: CALL },
  async (scene) => {
    const client = await scene.client();
    for (const member of ["GetId", "Ping", "Introspect"]) {
      const serial = client.send({
        type: Type.Call,
        path: DRIVER_PATH,
        member,
        destination: DRIVER,
      });
      expect((await client.replyTo(serial)).type).toBe(Type.Return);
    }
  },
);

conformance(
  "An unknown member without an interface is an UnknownMethod",
  { spec: CALL },
  async (scene) => {
    const client = await scene.client();
    const serial = client.send({
      type: Type.Call,
      path: DRIVER_PATH,
      member: "Nope",
      destination: DRIVER,
    });
    expectError(await client.replyTo(serial), "UnknownMethod");
  },
);

for (const path of ["/", "/org", "/org/example/elsewhere"]) {
  conformance(
    `The driver's own interface answers at ${path}`,
    { spec: "dbus-daemon" },
    async (scene) => {
      const client = await scene.client();
      expect((await client.call("GetId", { path })).type).toBe(Type.Return);
      expect((await client.call("Ping", { path, interface: PEER })).type).toBe(Type.Return);
    },
  );
}

conformance(
  "Properties are only at the canonical path",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it says AccessDenied" } },
  async (scene) => {
    const client = await scene.client();
    expectError(await getProperty(client, DRIVER, "Features", "/"), "UnknownInterface");
  },
);

conformance(
  "UpdateActivationEnvironment is only at the canonical path",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const draft = { signature: "a{ss}", arguments: [[]] };
    expectError(
      await client.call("UpdateActivationEnvironment", { ...draft, path: "/" }),
      "AccessDenied",
      "Method 'UpdateActivationEnvironment' is only available at the canonical object path '/org/freedesktop/DBus'",
    );
  },
);

for (const [member, expected] of [
  ["RequestName", "su"],
  ["ReleaseName", "s"],
  ["StartServiceByName", "su"],
  ["UpdateActivationEnvironment", "a{ss}"],
  ["NameHasOwner", "s"],
  ["AddMatch", "s"],
  ["RemoveMatch", "s"],
  ["GetNameOwner", "s"],
  ["ListQueuedOwners", "s"],
  ["GetConnectionUnixUser", "s"],
  ["GetConnectionUnixProcessID", "s"],
  ["GetConnectionCredentials", "s"],
] as const) {
  conformance(
    `${member} without arguments is InvalidArgs`,
    { spec: "dbus-daemon" },
    async (scene) => {
      const client = await scene.client();
      expectError(
        await client.call(member),
        "InvalidArgs",
        `Call to ${member} has wrong args (, expected ${expected})\n`,
      );
    },
  );
}

for (const member of ["ListNames", "GetId", "ReloadConfig", "ListActivatableNames"]) {
  conformance(
    `${member} with an argument is InvalidArgs`,
    { spec: "dbus-daemon" },
    async (scene) => {
      const client = await scene.client();
      const refusal = await client.call(member, { signature: "u", arguments: [1] });
      expectError(refusal, "InvalidArgs", `Call to ${member} has wrong args (u, expected )\n`);
    },
  );
}

conformance(
  "RequestName with a path instead of a string is InvalidArgs",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const refusal = await client.call("RequestName", { signature: "ou", arguments: ["/a", 0] });
    expectError(refusal, "InvalidArgs", "Call to RequestName has wrong args (ou, expected su)\n");
  },
);

// Peer and introspection

conformance(
  "Ping is answered with nothing",
  { spec: "org.freedesktop.DBus.Peer" },
  async (scene) => {
    const reply = await (await scene.client()).call("Ping", { interface: PEER });
    expect({ type: reply.type, signature: reply.signature }).toEqual({
      type: Type.Return,
      signature: "",
    });
  },
);

conformance(
  "GetMachineId is 32 hexadecimal digits",
  { spec: "org.freedesktop.DBus.Peer" },
  async (scene) => {
    const reply = await (await scene.client()).call("GetMachineId", { interface: PEER });
    expect(reply.arguments[0]).toMatch(/^[0-9a-f]{32}$/);
  },
);

conformance(
  "Introspect describes the driver's methods and signals",
  { spec: "org.freedesktop.DBus.Introspectable" },
  async (scene) => {
    const reply = await (await scene.client()).call("Introspect", { interface: INTROSPECTABLE });
    const xml = String(reply.arguments[0]);
    expect(xml).toMatch(
      /^<!DOCTYPE node PUBLIC "-\/\/freedesktop\/\/DTD D-BUS Object Introspection 1\.0\/\/EN"/,
    );
    for (const part of [
      '<interface name="org.freedesktop.DBus">',
      '<method name="Hello">',
      '<method name="RequestName">',
      '<method name="GetConnectionCredentials">',
      '<signal name="NameOwnerChanged">',
      '<signal name="NameAcquired">',
      '<signal name="NameLost">',
      '<property name="Features" type="as" access="read">',
      '<interface name="org.freedesktop.DBus.Introspectable">',
      '<interface name="org.freedesktop.DBus.Peer">',
      '<interface name="org.freedesktop.DBus.Properties">',
      '<interface name="org.freedesktop.DBus.Monitoring">',
    ]) {
      expect(xml).toContain(part);
    }
  },
);

conformance(
  "Introspect of the root leads to the driver's object",
  { spec: "org.freedesktop.DBus.Introspectable" },
  async (scene) => {
    const reply = await (await scene.client()).call("Introspect", {
      interface: INTROSPECTABLE,
      path: "/",
    });
    expect(reply.arguments[0]).toMatch(/<node name="org(\/freedesktop\/DBus)?"\/>/);
  },
);

conformance("Introspect answers at any path", { spec: "dbus-daemon" }, async (scene) => {
  const reply = await (await scene.client()).call("Introspect", {
    interface: INTROSPECTABLE,
    path: "/foo",
  });
  expect(reply.arguments[0]).toContain("<node>");
});

// Properties

conformance(
  "Features and Interfaces are lists of strings",
  { spec: "Message Bus Properties" },
  async (scene) => {
    const client = await scene.client();
    for (const property of ["Features", "Interfaces"]) {
      const { signature } = (await getProperty(client, DRIVER, property)).arguments[0] as Variant; // signature "v"
      expect(signature).toBe("as");
    }
  },
);

conformance(
  "Features tell that unknown header fields are filtered",
  {
    spec: "Message Bus Properties: Features",
    excused: { "dbus-broker": "it forwards unknown header fields and has no features" },
  },
  async (scene) => {
    const { value } = (await getProperty(await scene.client(), DRIVER, "Features"))
      .arguments[0] as Variant; // signature "v"
    expect(value).toContain("HeaderFiltering");
  },
);

conformance(
  "Interfaces name Monitoring",
  { spec: "Message Bus Properties: Interfaces" },
  async (scene) => {
    const { value } = (await getProperty(await scene.client(), DRIVER, "Interfaces"))
      .arguments[0] as Variant; // signature "v"
    expect(value).toContain("org.freedesktop.DBus.Monitoring");
  },
);

conformance("GetAll has both properties", { spec: PROPERTY }, async (scene) => {
  const client = await scene.client();
  const reply = await client.call("GetAll", {
    interface: PROPERTIES,
    signature: "s",
    arguments: [DRIVER],
  });
  const all = reply.arguments[0] as [string, Variant][]; // signature "a{sv}"
  expect(all.map(([name]) => name).sort()).toEqual(["Features", "Interfaces"]);
});

conformance(
  "GetAll of an unknown interface is an UnknownInterface",
  { spec: PROPERTY },
  async (scene) => {
    const client = await scene.client();
    const reply = await client.call("GetAll", {
      interface: PROPERTIES,
      signature: "s",
      arguments: ["org.example.No"],
    });
    expectError(reply, "UnknownInterface", 'Interface "org.example.No" not found');
  },
);

conformance(
  "Get of an unknown property is an UnknownProperty",
  {
    spec: PROPERTY,
    excused: { "dbus-broker": "it spells the error UnkonwnProperty" },
  },
  async (scene) => {
    const reply = await getProperty(await scene.client(), DRIVER, "Nope");
    expectError(reply, "UnknownProperty", 'Property "org.freedesktop.DBus.Nope" not found');
  },
);

conformance(
  "Get of an unknown interface is an UnknownInterface",
  { spec: PROPERTY },
  async (scene) => {
    const reply = await getProperty(await scene.client(), "org.example.No", "Features");
    expectError(reply, "UnknownInterface", 'Interface "org.example.No" not found');
  },
);

conformance(
  "Set of a property is refused: all are read-only",
  { spec: PROPERTY },
  async (scene) => {
    const reply = await (await scene.client()).call("Set", {
      interface: PROPERTIES,
      signature: "ssv",
      arguments: [DRIVER, "Features", { signature: "s", value: "x" }],
    });
    expectError(
      reply,
      "PropertyReadOnly",
      "Property 'org.freedesktop.DBus.Features' cannot be set",
    );
  },
);

// Other methods

conformance(
  "ReloadConfig answers with nothing",
  {
    spec: "ReloadConfig",
    withheld: { "dbus-broker": "broker-launch has no configuration to reload" },
  },
  async (scene) => {
    expect((await (await scene.client()).call("ReloadConfig")).type).toBe(Type.Return);
  },
);

conformance(
  "StartServiceByName of an unknown service is a ServiceUnknown",
  { spec: "StartServiceByName" },
  async (scene) => {
    const client = await scene.client();
    const reply = await client.call("StartServiceByName", {
      signature: "su",
      arguments: ["org.example.Nope", 0],
    });
    expectError(
      reply,
      "ServiceUnknown",
      "The name org.example.Nope was not provided by any .service files",
    );
  },
);

conformance(
  "StartServiceByName of a running name that is not activatable is a ServiceUnknown",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    await client.requestName("org.example.Running");
    const reply = await client.call("StartServiceByName", {
      signature: "su",
      arguments: ["org.example.Running", 0],
    });
    expectError(reply, "ServiceUnknown");
  },
);

conformance(
  "A call to the driver that expects no reply is answered all the same",
  {
    spec: "dbus-daemon",
    excused: {
      "dbus-broker": "it honours the flag",
      onehop: "a call that expects no reply gets none (docs/decisions/0011)",
    },
  },
  async (scene) => {
    const client = await scene.client();
    client.sendCall("GetId", { flags: Flag.NoReplyExpected });
    client.sendCall("Nope", { flags: Flag.NoReplyExpected });
    const [first, second] = briefs(await client.drain());
    expect(first).toMatch(/^return [0-9a-f]{32}$/);
    expect(second).toBe("error UnknownMethod");
  },
);

for (const [what, type] of [
  ["A signal", Type.Signal],
  ["A method return", Type.Return],
  ["An error", Type.Error],
] as const) {
  conformance(`${what} to the driver is ignored`, { spec: "dbus-daemon" }, async (scene) => {
    const client = await scene.client();
    client.send({
      type,
      destination: DRIVER,
      ...(type === Type.Signal
        ? { path: "/o", interface: "org.example.I", member: "S" }
        : { replySerial: 77 }),
      ...(type === Type.Error ? { errorName: "org.example.E" } : {}),
    });
    expect(briefs(await client.drain())).toEqual([]);
  });
}

conformance(
  "The driver's messages carry no forged origin and expect no reply",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const reply = await client.ask("GetId");
    expect(reply.sender).toBe(DRIVER);
    expect(reply.flags & Flag.NoReplyExpected).toBe(Flag.NoReplyExpected);
    expect(reply.serial).toBeGreaterThan(0);
  },
);

conformance(
  "BecomeMonitor is answered, then the unique name is lost",
  { spec: "BecomeMonitor" },
  async (scene) => {
    const client = await scene.client();
    client.sendCall("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [[], 0],
    });
    expect(briefs([await client.next(), await client.next()])).toEqual([
      "return",
      `signal NameLost ${client.uniqueName}`,
    ]);
  },
);

conformance(
  "A monitor that sends something is disconnected",
  { spec: "BecomeMonitor" },
  async (scene) => {
    const client = await scene.client();
    const reply = await client.call("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [[], 0],
    });
    expect(reply.type).toBe(Type.Return);
    client.sendCall("GetId");
    await client.disconnected();
  },
);

conformance(
  "A monitor sees a call and its reply between two others",
  { spec: "BecomeMonitor" },
  async (scene) => {
    const [monitor, caller, callee] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await monitor.call("BecomeMonitor", {
      interface: "org.freedesktop.DBus.Monitoring",
      signature: "asu",
      arguments: [[], 0],
    });
    const serial = caller.sendCall("M", {
      destination: callee.uniqueName,
      path: "/o",
      interface: "org.example.I",
    });
    await callee.first(({ member }) => member === "M");
    callee.send({ type: Type.Return, destination: caller.uniqueName, replySerial: serial });
    await caller.replyTo(serial);
    const seen = await monitor.first(({ member }) => member === "M");
    expect(seen).toMatchObject({
      sender: caller.uniqueName,
      destination: callee.uniqueName,
      serial,
    });
    await monitor.first(
      ({ replySerial, sender }) => replySerial === serial && sender === callee.uniqueName,
    );
  },
);
