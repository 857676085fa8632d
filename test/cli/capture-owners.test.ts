/** What a capture says about owners. */

import { expect, test } from "@jest/globals";
import { CaptureOwners } from "../../cli/capture-owners.ts";
import { outcomeOf } from "../../cli/print/explanation.ts";
import { Explainer } from "../../matchrules/explainer.ts";
import { parseMatchRule } from "../../matchrules/parse.ts";
import { errorReply, Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";

const NAME = "org.example.Name";

function byDriver(message: Message, destination: string | null = message.destination): Message {
  return new Message({ ...message, sender: DRIVER_NAME, destination }, message.body);
}

function driverSignal(
  member: string,
  body: readonly string[],
  destination: string | null,
): Message {
  const header = { path: DRIVER_PATH, interface: DRIVER_NAME, member };
  return byDriver(signal({ ...header, signature: "s".repeat(body.length), body }), destination);
}

function call(member: string, serial: number, body: readonly unknown[], sender = ":1.1"): Message {
  const header = { path: DRIVER_PATH, destination: DRIVER_NAME, member, sender };
  const made = methodCall({ ...header, signature: "s".repeat(body.length), body });
  return new Message({ ...made, serial }, body);
}

function answer(asked: Message, signature: string, value: unknown): Message {
  return byDriver(methodReturn(asked, { signature, body: [value] }));
}

function after(...messages: readonly Message[]): CaptureOwners {
  const owners = new CaptureOwners();
  for (const message of messages) owners.observe(message);
  return owners;
}

test("nothing is known at first but what needs no telling", () => {
  const owners = after();
  expect([NAME, ":1.7", DRIVER_NAME].map((name) => owners.ownerOf(name))).toEqual([
    ...[undefined, ":1.7", DRIVER_NAME],
  ]);
  expect([owners.namesOf(":1.7"), owners.namesOf(null)]).toEqual([[], []]);
});

test("NameOwnerChanged says who owns a name from now on", () => {
  const changes = [
    driverSignal("NameOwnerChanged", [NAME, "", ":1.7"], null),
    driverSignal("NameOwnerChanged", ["org.example.Other", "", ":1.7"], null),
    driverSignal("NameOwnerChanged", [NAME, ":1.7", ":1.8"], null),
  ];
  const owners = after(...changes);
  expect(owners.ownerOf(NAME)).toBe(":1.8");
  expect(owners.namesOf(":1.7")).toEqual(["org.example.Other"]);
  expect(owners.namesOf(":1.8")).toEqual([NAME]);
  owners.observe(driverSignal("NameOwnerChanged", [NAME, ":1.8", ""], null));
  expect([owners.ownerOf(NAME), owners.namesOf(":1.8")]).toEqual([null, []]);
});

test("NameAcquired and NameLost tell it of their receiver", () => {
  const owners = after(driverSignal("NameAcquired", [NAME], ":1.7"));
  expect(owners.ownerOf(NAME)).toBe(":1.7");
  owners.observe(driverSignal("NameLost", [NAME], ":1.6"));
  expect(owners.ownerOf(NAME)).toBe(":1.7");
  owners.observe(driverSignal("NameLost", [NAME], ":1.7"));
  expect([owners.ownerOf(NAME), owners.namesOf(":1.7")]).toEqual([undefined, []]);
});

test("only the bus is believed", () => {
  const lie = signal({
    ...{ path: DRIVER_PATH, interface: DRIVER_NAME, member: "NameOwnerChanged", sender: ":1.9" },
    ...{ signature: "sss", body: [NAME, "", ":1.9"] },
  });
  const asked = call("GetNameOwner", 1, [NAME]);
  const forged = methodReturn(asked, { signature: "s", body: [":1.9"], sender: ":1.9" });
  expect(after(lie, asked, forged).ownerOf(NAME)).toBeUndefined();
});

test("answers are found by their calls", () => {
  const get = call("GetNameOwner", 1, [NAME]);
  expect(after(get, answer(get, "s", ":1.7")).ownerOf(NAME)).toBe(":1.7");
  const nobody = byDriver(errorReply(get, "org.freedesktop.DBus.Error.NameHasNoOwner", "-"));
  expect(after(get, nobody).ownerOf(NAME)).toBeNull();
  expect(after(get, nobody, answer(get, "s", ":1.7")).ownerOf(NAME)).toBeNull();
  const other = byDriver(errorReply(get, "org.freedesktop.DBus.Error.AccessDenied", "-"));
  expect(after(get, other).ownerOf(NAME)).toBeUndefined();
  const has = call("NameHasOwner", 1, [NAME]);
  expect(after(has, answer(has, "b", false)).ownerOf(NAME)).toBeNull();
  expect(after(has, answer(has, "b", true)).ownerOf(NAME)).toBeUndefined();
  const request = call("RequestName", 1, [NAME]);
  const owners = [1, 2, 3, 4].map((code) =>
    after(request, answer(request, "u", code)).ownerOf(NAME),
  );
  expect(owners).toEqual([":1.1", undefined, undefined, ":1.1"]);
  const elsewhere = call("GetNameOwner", 1, [NAME], ":1.2");
  expect(after(get, answer(elsewhere, "s", ":1.7")).ownerOf(NAME)).toBeUndefined();
});

test("what ListNames leaves out has no owner, until it gets one", () => {
  const list = call("ListNames", 1, []);
  const owners = after(list, answer(list, "as", [DRIVER_NAME, ":1.1", "org.example.Listed"]));
  expect([owners.ownerOf(NAME), owners.ownerOf("org.example.Listed")]).toEqual([null, undefined]);
  owners.observe(driverSignal("NameOwnerChanged", [NAME, "", ":1.7"], null));
  expect(owners.ownerOf(NAME)).toBe(":1.7");
});

test("calls that are never answered are forgotten in the end", () => {
  const first = call("GetNameOwner", 1, [NAME]);
  const owners = after(first);
  for (let serial = 2; serial < 4100; serial++)
    owners.observe(call("GetNameOwner", serial, [NAME]));
  owners.observe(answer(first, "s", ":1.7"));
  expect(owners.ownerOf(NAME)).toBeUndefined();
});

test("messages that claim to be the bus's and are not as they should be change nothing", () => {
  const header = { path: DRIVER_PATH, interface: DRIVER_NAME, member: "NameOwnerChanged" };
  const odd = [
    signal({ ...header, signature: "u", body: [7] }),
    signal({ ...header, signature: "su", body: [NAME, 7] }),
    signal({ ...header, signature: "ssu", body: [NAME, "", 7] }),
    signal(header),
  ].map((message) => byDriver(message));
  expect(after(...odd).ownerOf(NAME)).toBeUndefined();
});

function outcome(rule: string, header: Partial<Message>, owners: CaptureOwners): string {
  const parsed = parseMatchRule(rule);
  if ("code" in parsed) throw new Error(parsed.text);
  const path = { path: "/a", interface: "a.b", member: "M" };
  const message = new Message({ type: 4, ...path, sender: ":1.7", ...header }, []);
  const explanation = new Explainer(parsed).explain(encodeMessage(message, 1));
  return outcomeOf(explanation, (name) => owners.ownerOf(name));
}

test("it is undecided only where an owner is unknown and nothing else is wrong", () => {
  const nothing = after();
  const known = after(driverSignal("NameAcquired", [NAME], ":1.8"));
  expect(outcome(`sender='${NAME}'`, {}, nothing)).toBe("undecided");
  expect(outcome(`sender='${NAME}'`, {}, known)).toBe("no match");
  expect(outcome(`sender='${NAME}',member='N'`, {}, nothing)).toBe("no match");
  expect(outcome(`sender='${NAME}'`, { sender: DRIVER_NAME }, nothing)).toBe("no match");
  expect(outcome(`sender='${NAME}'`, { sender: null }, nothing)).toBe("no match");
  expect(outcome("sender=':1.8'", {}, nothing)).toBe("no match");
  const spy = `destination='${NAME}',eavesdrop='true'`;
  expect(outcome(spy, { destination: ":1.9" }, nothing)).toBe("undecided");
  expect(outcome(spy, { destination: ":1.9" }, known)).toBe("no match");
  expect(outcome("destination=':1.8',eavesdrop='true'", { destination: NAME }, nothing)).toBe(
    "undecided",
  );
  expect(outcome("destination=':1.8',eavesdrop='true'", { destination: ":1.9" }, nothing)).toBe(
    "no match",
  );
  expect(outcome(spy, { destination: NAME }, nothing)).toBe("match");
});
