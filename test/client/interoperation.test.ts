/** Other programs at the other end: gdbus, busctl, dbus-send and dbus-next. */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import dbus from "dbus-next";
import { type StartedBus, startBus } from "../../bus/start-bus.ts";
import { parseIntrospection } from "../../introspection/parse.ts";
import { testWithProgram } from "../compat/programs.ts";
import { Clients, echo, failureOf, PLACE } from "./support.ts";

const run = promisify(execFile);
const clients = new Clients();
const NAME = "org.example.Echo";
let bus: StartedBus;

beforeAll(async () => {
  bus = await startBus({ listen: ["unix:tmpdir=/tmp"] });
});
afterEach(() => clients.close());
afterAll(() => bus.stop());

async function serveEcho(): Promise<void> {
  const client = await clients.join(bus.address);
  echo(client);
  await client.requestName(NAME);
}

testWithProgram("gdbus", "gdbus calls the client", async () => {
  await serveEcho();
  const words = ["call", "--address", bus.address, "-d", NAME, "-o", PLACE.path];
  const method = ["-m", `${PLACE.interface}.Member`, "['a', 'b']", "7"];
  const { stdout } = await run("gdbus", [...words, ...method]);
  expect(stdout.trim()).toBe("(['a', 'b'], 7)");
});

testWithProgram("busctl", "busctl calls the client", async () => {
  await serveEcho();
  const place = [NAME, PLACE.path, PLACE.interface, "Member"];
  const words = [`--address=${bus.address}`, "call", ...place, "a{sv}", "1", "k", "u", "5"];
  const { stdout } = await run("busctl", words);
  expect(stdout.trim()).toBe('a{sv} 1 "k" u 5');
});

testWithProgram(
  "dbus-send",
  "dbus-send is answered by Peer, and its signals are heard",
  async () => {
    await serveEcho();
    const client = await clients.join(bus.address);
    const stream = await client.signals({ interface: PLACE.interface });
    const signal = [`--bus=${bus.address}`, PLACE.path, `${PLACE.interface}.Member`, "string:hi"];
    await run("dbus-send", signal);
    expect((await stream.next()).value?.body).toEqual(["hi"]);
    await stream.return();
  },
);

test("dbus-next is called and calls, errors and signals included", async () => {
  const service = dbus.sessionBus({ busAddress: bus.address });
  await once(service, "connect");
  const client = await clients.join(bus.address);
  echo(client);
  try {
    const exported = new Exported();
    service.export("/org/example", exported);
    await service.requestName("org.example.Next", 0);
    const place = { destination: "org.example.Next", path: "/org/example" };
    const xml = await client.call({
      ...place,
      interface: "org.freedesktop.DBus.Introspectable",
      member: "Introspect",
    });
    const node = parseIntrospection(String(xml.body[0]));
    expect(node.interfaces.map(({ name }) => name)).toContain("org.example.Next");
    const stream = await client.signals({ sender: "org.example.Next" });
    const call = { ...place, interface: "org.example.Next", member: "Double" };
    const reply = await client.call({ ...call, signature: "x", body: [-4n] });
    expect(reply.body).toEqual([-8n]);
    expect((await stream.next()).value?.body).toEqual(["doubled"]);
    const error = await failureOf(client.call({ ...call, member: "Nothing" }));
    expect(error.code).toBe("ONEHOP_ERROR_REPLY");
    const theirs = await service.call(
      new dbus.Message({
        destination: client.uniqueName,
        ...PLACE,
        signature: "a(si)",
        body: [[["one", 1]]],
      }),
    );
    expect(theirs?.body).toEqual([[["one", 1]]]);
  } finally {
    service.disconnect();
  }
});

class Exported extends dbus.interface.Interface {
  constructor() {
    super("org.example.Next");
  }

  Double(number: bigint): bigint {
    this.Doubled();
    return number * 2n;
  }

  Doubled(): string {
    return "doubled";
  }
}

Exported.configureMembers({
  methods: { Double: { inSignature: "x", outSignature: "x" } },
  signals: { Doubled: { signature: "s" } },
});
