/** Calls that wait for replies, and names that are learned from what passes by. */

import { expect, test } from "@jest/globals";
import { KnownNames } from "../../cli/monitor/known-names.ts";
import { OpenCalls, openCall } from "../../cli/monitor/open-calls.ts";
import { DRIVER_NAME, MessageType } from "../../wire/protocol.ts";
import { ownerChange, watched } from "./monitor-history.ts";

const call = (serial: number, sender: string, path = "/") =>
  openCall(
    watched({
      type: MessageType.MethodCall,
      path,
      member: "M",
      serial,
      sender,
      destination: ":1.9",
    }),
    ":1.9",
    ~0,
  );
const reply = (replySerial: number, destination: string, sender = ":1.9") =>
  watched({ type: MessageType.MethodReturn, sender, destination, replySerial });

test("a reply finds its call once, by caller and serial", () => {
  const calls = new OpenCalls();
  calls.add(call(1, ":1.1"));
  calls.add(call(1, ":1.2"));
  expect(calls.take(reply(2, ":1.1"))).toBeNull();
  expect(calls.take(reply(1, ":1.2"))?.message.sender).toBe(":1.2");
  expect(calls.take(reply(1, ":1.2"))).toBeNull();
  expect(calls.waiting().map(({ message }) => message.sender)).toEqual([":1.1"]);
});

test("only who was called, or the bus, answers", () => {
  const calls = new OpenCalls();
  calls.add(call(1, ":1.1"));
  expect(calls.take(reply(1, ":1.1", ":1.8"))).toBeNull();
  expect(calls.take(reply(1, ":1.1", DRIVER_NAME))).not.toBeNull();
});

test("a caller that leaves gets no reply", () => {
  const calls = new OpenCalls();
  calls.add(call(1, ":1.1"));
  calls.add(call(2, ":1.1"));
  calls.add(call(1, ":1.2"));
  const left = calls.seeSignal(ownerChange(":1.1", ":1.1", ""));
  expect(left.map(({ message }) => message.serial)).toEqual([1, 2]);
  expect(calls.seeSignal(ownerChange("a.b", ":1.2", ""))).toEqual([]);
  expect(calls.waiting()).toHaveLength(1);
});

test("what is remembered is limited: calls of whoever was quiet for longest are forgotten first", () => {
  const calls = new OpenCalls(4);
  for (const [serial, sender] of [
    [1, ":1.1"],
    [1, ":1.2"],
    [2, ":1.1"],
    [3, ":1.1"],
    [4, ":1.1"],
  ] as const) {
    calls.add(call(serial, sender));
  }
  expect(calls.take(reply(1, ":1.2"))).toBeNull();
  calls.add(call(2, ":1.2", `/${"x".repeat(2048)}`));
  expect(calls.waiting().map(({ message }) => [message.sender, message.serial])).toEqual([
    [":1.1", 4],
    [":1.2", 2],
  ]);
  expect(calls.forgottenCount).toBe(4);
});

test("a serial that is used again is a new call", () => {
  const calls = new OpenCalls(2);
  for (let count = 0; count < 5; count++) calls.add(call(1, ":1.1"));
  expect(calls.forgottenCount).toBe(0);
  expect(calls.take(reply(1, ":1.1"))).not.toBeNull();
  expect(calls.take(reply(1, ":1.1"))).toBeNull();
});

test("names are learned from changes of owners, and in their order", () => {
  const names = new KnownNames();
  for (const change of [
    ownerChange(":1.1", "", ":1.1"),
    ownerChange("a.b", "", ":1.1"),
    ownerChange("c.d", "", ":1.1"),
    ownerChange("e.f", "", ":1.2"),
    ownerChange("a.b", ":1.1", ":1.2"),
    ownerChange("e.f", ":1.2", ""),
  ]) {
    names.seeSignal(change);
  }
  expect(names.namesOf(":1.1")).toEqual(["c.d"]);
  expect(names.namesOf(":1.2")).toEqual(["a.b"]);
  expect(names.allNamesOf("a.b")).toEqual(["a.b", ":1.2"]);
  expect([names.ownerOf("e.f"), names.ownerOf(":1.1")]).toEqual([null, null]);
  // Somebody else's signal of that name says nothing.
  const forged = ownerChange("a.b", "", ":1.66");
  names.seeSignal(watched({ ...header(forged), sender: ":1.66" }, forged.message.body));
  expect(names.ownerOf("a.b")).toBe(":1.2");
});

function header({ message }: ReturnType<typeof watched>) {
  const { type, path, member, signature } = message;
  return { type, path, interface: message.interface, member, signature };
}

test("names are learned from what the bus answers", () => {
  const names = new KnownNames();
  const ask = (member: string, signature: string, body: unknown[], answer: unknown): void => {
    const asked = watched(
      {
        ...{ type: MessageType.MethodCall, path: "/", member, signature },
        ...{ serial: 7, sender: ":1.1", destination: DRIVER_NAME },
      },
      body,
    );
    const answered = watched(
      {
        ...{ type: MessageType.MethodReturn, sender: DRIVER_NAME, destination: ":1.1" },
        ...{ replySerial: 7, signature: typeof answer === "string" ? "s" : "u" },
      },
      [answer],
    );
    names.seeReply(answered, openCall(asked, DRIVER_NAME, 0));
  };
  ask("GetNameOwner", "s", ["a.b"], ":1.5");
  ask("RequestName", "su", ["c.d", 0], 1);
  ask("RequestName", "su", ["e.f", 0], 3);
  ask("GetNameOwner", "s", [DRIVER_NAME], DRIVER_NAME);
  ask("GetNameOwner", "s", [":1.5"], ":1.5");
  expect(["a.b", "c.d", "e.f", DRIVER_NAME].map((name) => names.ownerOf(name))).toEqual([
    ":1.5",
    ":1.1",
    null,
    null,
  ]);
});
