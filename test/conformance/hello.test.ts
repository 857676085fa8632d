/** Hello, unique names, and what a peer may do before it has one. */

import { expect } from "@jest/globals";
import { brief, briefs } from "./support/brief.ts";
import { type Client, DRIVER, DRIVER_PATH, PEER } from "./support/client.ts";
import { conformance, expectError, useBus } from "./support/conformance.ts";
import { Flag, Type } from "./support/wire.ts";

useBus();

const HELLO = "Bus names: Hello";
const NOT_REGISTERED = "Client tried to send a message other than Hello without being registered";

/** Sends Hello with whatever is different and returns all that comes up to a barrier. */
async function helloLines(client: Client, draft: object = {}): Promise<string[]> {
  client.sendCall("Hello", draft);
  return briefs(await client.drain());
}

conformance(
  "Hello returns a unique name that begins with a colon",
  { spec: HELLO },
  async (scene) => {
    const client = await scene.client({ until: "begin" });
    const reply = await client.call("Hello");
    expect(reply.type).toBe(Type.Return);
    expect(reply.signature).toBe("s");
    expect(reply.arguments[0]).toMatch(/^:[0-9]+\.[0-9]+$/);
  },
);

conformance(
  "The reply to Hello comes from the driver and is addressed to the new name",
  { spec: HELLO },
  async (scene) => {
    const client = await scene.client({ until: "begin" });
    const reply = await client.call("Hello");
    expect(reply.sender).toBe(DRIVER);
    expect(reply.destination).toBe(reply.arguments[0]);
  },
);

conformance("NameAcquired follows the reply to Hello", { spec: HELLO }, async (scene) => {
  const client = await scene.client({ until: "begin" });
  client.sendCall("Hello");
  const [reply, acquired, ...more] = await client.drain();
  const name = reply?.arguments[0];
  expect(briefs(reply && acquired ? [reply, acquired] : [])).toEqual([
    `return ${name}`,
    `signal NameAcquired ${name}`,
  ]);
  expect(acquired).toMatchObject({
    path: DRIVER_PATH,
    interface: DRIVER,
    sender: DRIVER,
    destination: name,
  });
  expect(more).toEqual([]);
});

conformance(
  "Hello is announced to others by one NameOwnerChanged",
  { spec: HELLO },
  async (scene) => {
    const witness = await scene.client();
    await witness.addMatch("type='signal',member='NameOwnerChanged'");
    const client = await scene.client();
    const [announced, ...more] = (await witness.drain()).filter(
      ({ arguments: [name] }) => name === client.uniqueName,
    );
    expect(announced?.arguments).toEqual([client.uniqueName, "", client.uniqueName]);
    expect(announced?.destination).toBeNull();
    expect(more).toEqual([]);
  },
);

conformance("A second Hello fails and changes nothing", { spec: HELLO }, async (scene) => {
  const client = await scene.client();
  expectError(await client.call("Hello"), "Failed", "Already handled an Hello message");
  expect((await client.ask("GetNameOwner", "s", client.uniqueName)).arguments).toEqual([
    client.uniqueName,
  ]);
});

conformance("Unique names are never given twice", { spec: "Bus names" }, async (scene) => {
  const seen = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const client = await scene.client();
    seen.add(client.uniqueName);
    await scene.leave(client);
  }
  expect(seen.size).toBe(20);
});

conformance("Unique names grow", { spec: "dbus-daemon" }, async (scene) => {
  const [earlier, later] = [await scene.client(), await scene.client()].map(({ uniqueName }) =>
    Number(uniqueName.split(".")[1]),
  );
  expect(later).toBeGreaterThan(earlier ?? Number.POSITIVE_INFINITY);
});

conformance(
  "Hello without an interface is understood",
  { spec: "Message types: METHOD_CALL" },
  async (scene) => {
    const client = await scene.client({ until: "begin" });
    client.send({ type: Type.Call, path: DRIVER_PATH, member: "Hello", destination: DRIVER });
    expect((await client.next()).type).toBe(Type.Return);
  },
);

conformance("Hello is understood at any object path", { spec: "dbus-daemon" }, async (scene) => {
  const client = await scene.client({ until: "begin" });
  expect((await client.call("Hello", { path: "/elsewhere" })).type).toBe(Type.Return);
});

conformance(
  "Hello is answered even if no reply is expected",
  {
    spec: "dbus-daemon",
    excused: {
      "dbus-broker": "it honours the flag for calls to itself",
      onehop: "a call that expects no reply gets none (docs/decisions/0011)",
    },
  },
  async (scene) => {
    const client = await scene.client({ until: "begin" });
    const [first] = await helloLines(client, { flags: Flag.NoReplyExpected });
    expect(first).toMatch(/^return :/);
  },
);

conformance(
  "Hello with arguments is refused and may be repeated without",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client({ until: "begin" });
    const refusal = await client.call("Hello", { signature: "s", arguments: ["x"] });
    expectError(refusal, "InvalidArgs", "Call to Hello has wrong args (s, expected )\n");
    await client.hello();
    expect(client.uniqueName).toMatch(/^:/);
  },
);

for (const [what, member, iface] of [
  ["GetId", "GetId", DRIVER],
  ["ListNames", "ListNames", DRIVER],
  ["Peer.Ping", "Ping", PEER],
] as const) {
  conformance(
    `${what} of the driver before Hello is denied, and Hello still works`,
    { spec: "Message Bus Messages: Hello" },
    async (scene) => {
      const client = await scene.client({ until: "begin" });
      const refusal = await client.call(member, { interface: iface });
      expectError(refusal, "AccessDenied", NOT_REGISTERED);
      await client.hello();
    },
  );
}

conformance(
  "A method call to a peer before Hello ends the connection",
  { spec: HELLO },
  async (scene) => {
    const other = await scene.client();
    const client = await scene.client({ until: "begin" });
    client.sendCall("M", { destination: other.uniqueName, interface: "org.example.I", path: "/o" });
    await client.disconnected();
    expect(briefs(await other.drain())).toEqual([]);
  },
);

conformance(
  "A broadcast signal before Hello ends the connection",
  { spec: HELLO },
  async (scene) => {
    const other = await scene.client();
    await other.addMatch("type='signal',interface='org.example.Early'");
    const client = await scene.client({ until: "begin" });
    client.send({ type: Type.Signal, path: "/o", interface: "org.example.Early", member: "S" });
    await client.disconnected();
    expect(briefs(await other.drain())).toEqual([]);
  },
);

conformance(
  "Hello pipelined with a next call is answered in order",
  { spec: HELLO },
  async (scene) => {
    const client = await scene.client({ until: "begin" });
    const hello = client.sendCall("Hello");
    const list = client.sendCall("ListNames");
    const arrivals = await client.drain();
    expect(arrivals.map(({ replySerial }) => replySerial)).toEqual([hello, null, list]);
    expect(arrivals.map(brief)[1]).toMatch(/^signal NameAcquired :/);
  },
);

conformance(
  "A peer that leaves before Hello is nobody's business",
  { spec: HELLO },
  async (scene) => {
    const witness = await scene.client();
    await witness.addMatch("type='signal',sender='org.freedesktop.DBus'");
    const client = await scene.client({ until: "begin" });
    client.close();
    await scene.client({ until: "begin" });
    expect(briefs(await witness.drain())).toEqual([]);
  },
);
