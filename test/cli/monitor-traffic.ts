/** All kinds of traffic on a bus, by our client, by raw sockets, and by programs of others. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import type { Client } from "../../client/client.ts";
import { MessageFramer } from "../../wire/framing.ts";
import { type Message, methodCall, signal } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageFlag } from "../../wire/protocol.ts";
import { Variant } from "../../wire/variant.ts";
import { Clients, DRIVER, echo, failureOf, PLACE, settled } from "../client/support.ts";

/** Programs that have to be installed. */
export const TRAFFIC_PROGRAMS = ["gdbus", "busctl", "dbus-send", "/usr/bin/python3"];

const PYTHON_SCRIPT = `
import dbus, dbus.lowlevel
bus = dbus.SessionBus()
bus.request_name("org.example.Python")
def send(signature, *values):
    message = dbus.lowlevel.SignalMessage("/python", "org.example.Python", "Happened")
    message.append(*values, signature=signature)
    bus.send_message(message)
send("nqiuybxtd", -5, 65535, -1, 4294967295, 255, False, -2**63, 2**64 - 1, 0.1)
send("sog", "e\\u0301 \\U0001f600 \\x1b[31m", "/a", "a{sv}")
send("a{sv}", {"one": dbus.Struct([1, "x"], signature="is", variant_level=2), "none": dbus.Array([], signature="i")})
send("aay", [b"abc", b""])
send("a{is}", {1: "x", -2: "y"})
send("h", dbus.types.UnixFd(0))
try:
    bus.call_blocking("org.example.Missing", "/", "org.example.I", "M", "", ())
except dbus.DBusException as error:
    assert error.get_dbus_name().endswith("ServiceUnknown"), error
bus.call_blocking("org.example.Echo", "/", "org.example.I", "M", "as", (["a", "b"],))
bus.release_name("org.example.Python")
`;

export async function makeTraffic(address: string): Promise<void> {
  const clients = new Clients();
  const [service, caller] = [await clients.join(address), await clients.join(address)];
  echo(service);
  await service.requestName("org.example.Echo");
  await ourTraffic(service, caller);
  await bigEndianTraffic(address);
  await programTraffic(address);
  await service.releaseName("org.example.Echo");
  await clients.close();
}

async function ourTraffic(service: Client, caller: Client): Promise<void> {
  const call = { ...PLACE, destination: "org.example.Echo" };
  await caller.call({ ...call, signature: "sv", body: ["hello", new Variant("ai", [1, 2])] });
  await caller.call({ ...call, signature: "ay", body: [new Uint8Array(10_000)] });
  // From here, to here, by its unique name.
  await service.call({ ...PLACE, destination: service.uniqueName, interface: null });
  await caller.callWithoutReply({ ...call, member: "Quietly" });
  service.onCall = (asked) => {
    void service.replyError(asked, "org.example.Error.No", "no, never");
    return true;
  };
  await failureOf(caller.call({ ...call, member: "Fail" }));
  echo(service);
  await failureOf(caller.call({ ...PLACE, destination: ":1.9999" }));
  await failureOf(caller.call({ ...DRIVER, member: "NoSuchMethod" }));
  await caller.emit(PLACE);
  await caller.emit({ ...PLACE, destination: service.uniqueName, signature: "s", body: ["you"] });
  await caller.emit({ ...PLACE, destination: "org.example.Missing" });
  // Names that are fought for.
  const fight = { allowReplacement: true, replaceExisting: true };
  await service.requestName("org.example.Fought", fight);
  await caller.requestName("org.example.Fought", fight);
  await caller.releaseName("org.example.Fought");
  await settled(caller);
  await settled(service);
}

/** A peer that speaks in the other byte order; it asks, tells, and leaves with a call unanswered. */
async function bigEndianTraffic(address: string): Promise<void> {
  const path = /unix:(path|abstract)=([^,]*)/.exec(address);
  if (path === null) throw new Error(`cannot connect to ${address}`);
  const socket = connectSocket(`${path[1] === "abstract" ? "\0" : ""}${path[2]}`);
  const identity = Buffer.from(String(process.geteuid?.())).toString("hex");
  socket.write(`\0AUTH EXTERNAL ${identity}\r\nBEGIN\r\n`);
  const replies = repliesFrom(socket);
  let serial = 0;
  const send = (message: Message): void => {
    socket.write(encodeMessage(message, ++serial, false));
  };
  const driver = (member: string): Message =>
    methodCall({ path: DRIVER_PATH, interface: DRIVER_NAME, member, destination: DRIVER_NAME });
  send(driver("Hello"));
  send(signal({ ...PLACE, signature: "sxdv", body: ["big", -1n, 1.5, new Variant("u", 7)] }));
  const toEcho = { ...PLACE, destination: "org.example.Echo" };
  send(
    methodCall({ ...toEcho, signature: "a{sv}", body: [new Map([["k", new Variant("q", 9)]])] }),
  );
  send(
    methodCall({ ...PLACE, member: "Waits", destination: ":1.0", flags: MessageFlag.NoAutoStart }),
  );
  send(driver("GetId"));
  await replies(serial);
  socket.end();
  await once(socket, "close");
}

function repliesFrom(socket: Socket): (serial: number) => Promise<void> {
  const framer = new MessageFramer();
  const seen: Set<number | null> = new Set();
  const waiting: Map<number, () => void> = new Map();
  let isAuthenticated = false;
  socket.on("data", (chunk: Buffer) => {
    let bytes: Buffer = chunk;
    if (!isAuthenticated) {
      isAuthenticated = true;
      bytes = chunk.subarray(chunk.indexOf("\r\n") + 2);
    }
    for (const whole of framer.push(bytes)) {
      const { replySerial } = decodeMessage(whole);
      seen.add(replySerial);
      waiting.get(replySerial ?? 0)?.();
    }
  });
  return (serial) =>
    seen.has(serial)
      ? Promise.resolve()
      : new Promise((resolve) => waiting.set(serial, () => resolve()));
}

async function programTraffic(address: string): Promise<void> {
  await run(address, "dbus-send", "--session", "--type=signal", "/send", "a.b.C", "int32:5");
  await run(
    address,
    "dbus-send",
    "--session",
    "--print-reply",
    "--dest=org.example.Echo",
    "/",
    "a.b.C",
  );
  await run(address, "gdbus", "emit", "--session", ...["-o", "/g", "-s", "a.b.C", "<'x'>"]);
  await run(
    address,
    ...[
      "gdbus",
      "call",
      "--session",
      "-d",
      "org.example.Echo",
      "-o",
      "/",
      "-m",
      "a.b.C",
      "(1, 'a')",
    ],
  );
  await run(address, "busctl", `--address=${address}`, "emit", "/ctl", "a.b", "C", "as", "1", "x");
  await run(
    address,
    ...["busctl", `--address=${address}`, "call", "org.example.Echo", "/", "a.b", "C", "u", "7"],
  );
  await run(address, "/usr/bin/python3", "-c", PYTHON_SCRIPT);
}

async function run(address: string, program: string, ...words: string[]): Promise<void> {
  const child = spawn(program, words, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: address },
  });
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${program} ${words.join(" ")}: ${status} ${errors}`);
}
