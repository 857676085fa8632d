/** The makers of messages. */

import { expect, test } from "@jest/globals";
import { errorReply, Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { MessageFlag, MessageType } from "../../wire/protocol.ts";

test("a method call has what it was given and is null elsewhere", () => {
  const message = methodCall({
    path: "/a",
    interface: "a.b",
    member: "C",
    destination: "a.b",
    signature: "s",
    body: ["x"],
    flags: MessageFlag.NoAutoStart,
    unixFds: 1,
  });
  expect(message).toMatchObject({
    type: MessageType.MethodCall,
    flags: MessageFlag.NoAutoStart,
    serial: 0,
    path: "/a",
    interface: "a.b",
    member: "C",
    errorName: null,
    replySerial: null,
    destination: "a.b",
    sender: null,
    signature: "s",
    unixFds: 1,
  });
  expect(message.body).toEqual(["x"]);
});

test("a method return goes to the caller, answers its serial and expects no reply", () => {
  const message = methodReturn({ serial: 7, sender: ":1.5" }, { signature: "u", body: [1] });
  expect(message).toMatchObject({
    type: MessageType.MethodReturn,
    flags: MessageFlag.NoReplyExpected,
    replySerial: 7,
    destination: ":1.5",
    signature: "u",
  });
});

test("an error reply has a name and a text", () => {
  const message = errorReply({ serial: 7, sender: ":1.5" }, "a.b.Error", "no");
  expect(message).toMatchObject({
    type: MessageType.Error,
    errorName: "a.b.Error",
    replySerial: 7,
  });
  expect(message.body).toEqual(["no"]);
});

test("a signal has a path, an interface and a member, and no destination unless given", () => {
  const message = signal({ path: "/a", interface: "a.b", member: "C" });
  expect(message).toMatchObject({ type: MessageType.Signal, destination: null, signature: "" });
  expect(
    signal({ path: "/", interface: "a.b", member: "C", destination: ":1.5" }).destination,
  ).toBe(":1.5");
});

test("the makers refuse names, paths and signatures that are not valid", () => {
  expect(() => methodCall({ path: "a", member: "B" })).toThrow("not a valid object path");
  expect(() => methodCall({ path: "/", member: "B.C" })).toThrow("not a valid member name");
  expect(() => methodCall({ path: "/", member: "B", interface: "a" })).toThrow(TypeError);
  expect(() => methodCall({ path: "/", member: "B", destination: "a" })).toThrow(
    "not a valid bus name",
  );
  expect(() => methodCall({ path: "/", member: "B", sender: "a" })).toThrow("not a valid bus name");
  expect(() => methodCall({ path: "/", member: "B", signature: "a" })).toThrow(TypeError);
  expect(() => errorReply({ serial: 1, sender: null }, "no", "")).toThrow("not a valid error name");
});

test("a body that is made when asked for is made once", () => {
  let made = 0;
  const message = new Message({ type: MessageType.Signal }, () => [++made]);
  expect(made).toBe(0);
  expect(message.body).toEqual([1]);
  expect(message.body).toBe(message.body);
  expect(made).toBe(1);
});
