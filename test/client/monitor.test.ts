/** A client that has become a monitor. */

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { Client } from "../../client/client.ts";
import { decodeMessage } from "../../wire/message-codec.ts";
import { MessageType } from "../../wire/protocol.ts";
import { Clients, DRIVER, echo, failureOf, PLACE, settled } from "./support.ts";

const clients = new Clients();
let bus: Bus;
let client: Client;

beforeEach(async () => {
  bus = createBus();
  client = await clients.join(bus);
});

afterEach(async () => {
  await clients.close();
  bus.close();
});

test("a monitor sees calls, replies and signals between others, whole and with the time", async () => {
  const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
  echo(callee);
  const beforeMs = Date.now();
  const monitor = await client.becomeMonitor([`interface='${PLACE.interface}'`, "type='error'"]);
  const destination = callee.uniqueName;
  await caller.call({ ...PLACE, destination, signature: "s", body: ["hello"] });
  await caller.emit({ ...PLACE, signature: "t", body: [7n] });
  await failureOf(caller.call({ ...PLACE, destination: "org.example.Nobody" }));
  const seen: unknown[] = [];
  for await (const { message, bytes, receivedMicroseconds } of monitor) {
    expect(decodeMessage(bytes)).toMatchObject({ serial: message.serial, sender: message.sender });
    expect(Math.abs(receivedMicroseconds / 1000 - Date.now())).toBeLessThan(60_000);
    expect(receivedMicroseconds / 1000).toBeGreaterThan(beforeMs - 3);
    seen.push([message.type, message.member, message.destination, message.body[0]]);
    if (message.type === MessageType.Error) break;
  }
  expect(seen).toEqual([
    [MessageType.MethodCall, "Member", destination, "hello"],
    [MessageType.Signal, "Member", null, 7n],
    [MessageType.MethodCall, "Member", "org.example.Nobody", undefined],
    [MessageType.Error, null, caller.uniqueName, expect.stringContaining("org.example.Nobody")],
  ]);
  expect(client.isClosed).toBe(true);
});

test("a monitor sends nothing any more", async () => {
  const monitor = await client.becomeMonitor();
  const error = await failureOf(client.call({ ...DRIVER, member: "GetId" }));
  expect(error.text).toContain("monitor");
  await monitor[Symbol.asyncDispose]();
  expect(await monitor.next()).toEqual({ done: true, value: undefined });
});

test("what nobody takes is bounded; when it is taken, nothing is missing", async () => {
  const sender = await clients.join(bus);
  const monitor = await client.becomeMonitor(["member='Member'"], { maxBufferedBytes: 4096 });
  for (let i = 0; i < 500; i++) await sender.emit({ ...PLACE, signature: "u", body: [i] });
  await settled(sender);
  expect(monitor.bufferedBytes).toBeGreaterThan(0);
  expect(monitor.bufferedBytes).toBeLessThan(4096 + 200);
  for (let i = 0; i < 500; i++) {
    const { value } = await monitor.next();
    expect(value?.message.body).toEqual([i]);
  }
  expect(monitor.bufferedBytes).toBe(0);
});

test("a wrong rule is refused here, and the client goes on as before", async () => {
  await expect(client.becomeMonitor(["nonsense"])).rejects.toThrow(TypeError);
  await settled(client);
});

test("a disconnect ends the iteration with the reason", async () => {
  const monitor = await client.becomeMonitor(["member='Nothing'"]);
  const waiting = failureOf(monitor.next());
  bus.close();
  expect((await waiting).code).toBe("ONEHOP_DISCONNECTED");
});
