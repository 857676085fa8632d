/** Calls, signals and names, over a bus in this process. */

import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { ReceivedMessage } from "../../client/received-message.ts";
import { DBusErrorName } from "../../wire/error-names.ts";
import { MessageType, ReleaseNameReply, RequestNameReply } from "../../wire/protocol.ts";
import { Variant } from "../../wire/variant.ts";
import { builtProgram } from "../compat/daemon-process.ts";
import { Clients, DRIVER, echo, failureOf, PLACE, settled } from "./support.ts";

const clients = new Clients();
let bus: Bus;

beforeEach(() => {
  bus = createBus();
});

afterEach(async () => {
  await clients.close();
  bus.close();
});

describe("calls", () => {
  test("a call is answered with values of every kind", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    echo(callee);
    expect([caller.guid, caller.uniqueName, callee.uniqueName]).toEqual([bus.guid, ":1.0", ":1.1"]);
    const signature = "ybnqiuxtdsogaya{sv}(s(ib))";
    const body = [
      1,
      true,
      -2,
      3,
      -4,
      5,
      -6n,
      7n,
      0.5,
      "text",
      "/path",
      "a{sv}",
      new Uint8Array([1, 2]),
      new Map([["key", new Variant("as", ["one", "two"])]]),
      ["s", [9, false]],
    ];
    const call = { ...PLACE, destination: callee.uniqueName, signature, body };
    const reply = await caller.call(call);
    expect(reply.body).toEqual(body);
    expect(reply).toMatchObject({
      type: MessageType.MethodReturn,
      sender: callee.uniqueName,
      destination: caller.uniqueName,
      signature,
    });
  });

  test("many calls at once are each answered by their own reply", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    echo(callee);
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    const destination = callee.uniqueName;
    const replies = await Promise.all(
      numbers.map((number) =>
        caller.call({ ...PLACE, destination, signature: "u", body: [number] }),
      ),
    );
    expect(replies.map(({ body }) => body[0])).toEqual(numbers);
    expect(caller.pendingCallCount).toBe(0);
  });

  test("an error reply is thrown with its name, its text, the call and a stack that leads to the caller", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    callee.onCall = (call) => {
      void callee.replyError(call, "org.example.Error.Full", "no room");
      return true;
    };
    const error = await failureOf(whoCalls());
    expect(error).toMatchObject({
      code: "ONEHOP_ERROR_REPLY",
      errorName: "org.example.Error.Full",
      text: "no room",
      body: ["no room"],
      call: { ...PLACE, destination: callee.uniqueName },
    });
    expect(error.message).toBe(
      `no room (org.example.Interface.Member at /org/example of ${callee.uniqueName})`,
    );
    expect(error.stack).toContain("whoCalls");

    async function whoCalls(): Promise<void> {
      await caller.call({ ...PLACE, destination: callee.uniqueName });
    }
  });

  test("the bus's own refusals are error replies too", async () => {
    const caller = await clients.join(bus);
    const error = await failureOf(caller.call({ ...PLACE, destination: "org.example.Nobody" }));
    expect([error.code, error.errorName]).toEqual([
      "ONEHOP_ERROR_REPLY",
      DBusErrorName.ServiceUnknown,
    ]);
  });

  test("a call without a reply fails at its deadline, and the late reply disturbs nobody", async () => {
    const [caller, callee] = [await clients.join(bus, { timeoutMs: 5 }), await clients.join(bus)];
    const waiting: ReceivedMessage[] = [];
    callee.onCall = (call) => {
      waiting.push(call);
      return true;
    };
    const call = { ...PLACE, destination: callee.uniqueName };
    const error = await failureOf(caller.call(call));
    expect([error.code, error.errorName]).toEqual(["ONEHOP_TIMEOUT", DBusErrorName.NoReply]);
    expect(error.text).toBe("no reply within 5 ms");
    expect((await failureOf(caller.call(call, { timeoutMs: 1 }))).text).toBe(
      "no reply within 1 ms",
    );
    for (const each of waiting) await callee.reply(each);
    await settled(callee);
    await settled(caller);
    expect(caller.pendingCallCount).toBe(0);
  });

  test("a call is aborted at once, or not even sent", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    let calls = 0;
    const controller = new AbortController();
    callee.onCall = () => {
      calls++;
      controller.abort(new Error("enough"));
      return true;
    };
    const call = { ...PLACE, destination: callee.uniqueName };
    const error = await failureOf(caller.call(call, { signal: controller.signal }));
    expect(error.code).toBe("ONEHOP_ABORTED");
    expect(error.cause).toEqual(new Error("enough"));
    const again = await failureOf(caller.call(call, { signal: controller.signal }));
    expect(again.code).toBe("ONEHOP_ABORTED");
    await settled(caller);
    await settled(callee);
    expect(calls).toBe(1);
  });

  test("arguments that do not fit are refused before anything is sent", async () => {
    const caller = await clients.join(bus);
    const wrong = { ...DRIVER, member: "GetNameOwner", signature: "s", body: [7] };
    await expect(caller.call(wrong)).rejects.toThrow("body[0].s: expected s, got number");
    await expect(caller.call({ ...DRIVER, member: "no-name" })).rejects.toThrow(TypeError);
    await expect(caller.emit({ ...PLACE, path: "relative" })).rejects.toThrow("relative");
    await settled(caller);
    expect(caller.pendingCallCount).toBe(0);
  });

  test("a call that wants no reply is delivered, and answered by nobody", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    const got: unknown[] = [];
    callee.onCall = (call) => {
      got.push(call.body[0]);
      void callee.reply(call);
      return true;
    };
    const destination = callee.uniqueName;
    await caller.callWithoutReply({ ...PLACE, destination, signature: "s", body: ["one"] });
    await caller.callWithoutReply({ ...PLACE, destination: caller.uniqueName });
    await settled(caller);
    await settled(callee);
    expect(got).toEqual(["one"]);
    expect(caller.pendingCallCount).toBe(0);
  });
});

describe("answers", () => {
  test("Peer is answered at every path, everything else is refused", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    const peer = {
      destination: callee.uniqueName,
      path: "/any",
      interface: "org.freedesktop.DBus.Peer",
    };
    expect((await caller.call({ ...peer, member: "Ping" })).body).toEqual([]);
    const machine = await caller.call({ ...peer, member: "GetMachineId" });
    expect(machine.body[0]).toMatch(/^[0-9a-f]{32}$/);
    const unknown = await failureOf(caller.call({ ...peer, member: "Pong" }));
    expect(unknown.errorName).toBe(DBusErrorName.UnknownMethod);
    const nothing = await failureOf(caller.call({ ...PLACE, destination: callee.uniqueName }));
    expect(nothing.errorName).toBe(DBusErrorName.UnknownObject);
    expect(nothing.text).toContain("/org/example");
  });

  test("what a listener throws is an uncaught exception, and disturbs nothing else", () => {
    const script = `
      import { connect } from ${JSON.stringify(builtProgram("client/index.js"))};
      import { createBus } from ${JSON.stringify(builtProgram("bus/index.js"))};
      process.on("uncaughtException", (error) => console.log(error.message));
      const bus = createBus();
      const [caller, callee] = [await connect(bus.connect()), await connect(bus.connect())];
      callee.onCall = () => { throw new Error("bug in onCall"); };
      const place = { path: "/a", interface: "a.b", member: "C" };
      await callee.addMatch({ member: "C" }, () => { throw new Error("bug in a listener"); });
      await callee.addMatch({ member: "C" }, () => console.log("heard"));
      await caller.emit(place);
      const call = caller.call({ ...place, destination: callee.uniqueName });
      console.log((await call.catch((error) => error)).errorName);
    `;
    const words = ["--input-type=module", "--eval", script];
    const { stdout } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(stdout.trim().split("\n").sort()).toEqual([
      "bug in a listener",
      "bug in onCall",
      "heard",
      DBusErrorName.UnknownObject,
    ]);
  });
});

describe("names", () => {
  test("a name is requested and released", async () => {
    const [one, other] = [await clients.join(bus), await clients.join(bus)];
    const name = "org.example.Name";
    expect(await one.requestName(name, { allowReplacement: true })).toBe(
      RequestNameReply.PrimaryOwner,
    );
    expect(await one.requestName(name, { allowReplacement: true })).toBe(
      RequestNameReply.AlreadyOwner,
    );
    expect(await other.requestName(name)).toBe(RequestNameReply.Exists);
    expect(await other.requestName(name, { mayQueue: true })).toBe(RequestNameReply.InQueue);
    expect(await other.requestName(name, { replaceExisting: true })).toBe(
      RequestNameReply.PrimaryOwner,
    );
    expect(await one.releaseName(name)).toBe(ReleaseNameReply.NotOwner);
    expect(await other.releaseName(name)).toBe(ReleaseNameReply.Released);
    expect(await other.releaseName(name)).toBe(ReleaseNameReply.NonExistent);
  });
});

describe("the end", () => {
  test("closing fails what waits and refuses what comes after", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    callee.onCall = () => true;
    const call = { ...PLACE, destination: callee.uniqueName };
    const waiting = failureOf(caller.call(call));
    await settled(caller);
    await caller.close();
    expect((await waiting).code).toBe("ONEHOP_CLOSED");
    expect(await caller.closed).toBeNull();
    expect(caller.isClosed).toBe(true);
    expect((await failureOf(caller.call(call))).code).toBe("ONEHOP_CLOSED");
    expect((await failureOf(caller.emit(PLACE))).errorName).toBe(DBusErrorName.Disconnected);
    await caller.close();
    await settled(callee);
    expect(bus.connectionCount).toBe(1);
  });

  test("what was sent before closing arrives", async () => {
    const [sender, receiver] = [await clients.join(bus), await clients.join(bus)];
    const stream = await receiver.signals({ interface: PLACE.interface });
    for (let i = 0; i < 100; i++) void sender.emit({ ...PLACE, signature: "u", body: [i] });
    await sender.close();
    for (let i = 0; i < 100; i++) expect((await stream.next()).value?.body).toEqual([i]);
  });

  test("a disconnect fails what waits at once and says why", async () => {
    const [caller, callee] = [await clients.join(bus), await clients.join(bus)];
    callee.onCall = () => true;
    const waiting = failureOf(caller.call({ ...PLACE, destination: callee.uniqueName }));
    await settled(caller);
    bus.close();
    const error = await waiting;
    expect(error).toMatchObject({
      code: "ONEHOP_DISCONNECTED",
      errorName: DBusErrorName.Disconnected,
      text: "the bus closed the connection",
    });
    expect((await caller.closed)?.code).toBe("ONEHOP_DISCONNECTED");
    const later = await failureOf(caller.call({ ...DRIVER, member: "GetId" }));
    expect(later.text).toBe("the bus closed the connection");
  });
});
