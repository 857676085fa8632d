/** Match rules, streams and who gets what, over a bus in this process. */

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type Bus, createBus } from "../../bus/bus.ts";
import type { Client } from "../../client/client.ts";
import type { ReceivedMessage } from "../../client/received-message.ts";
import { MessageType } from "../../wire/protocol.ts";
import { Clients, DRIVER, failureOf, PLACE, settled } from "./support.ts";

const clients = new Clients();
let bus: Bus;
let sender: Client;
let receiver: Client;

beforeEach(async () => {
  bus = createBus();
  sender = await clients.join(bus);
  receiver = await clients.join(bus);
});

afterEach(async () => {
  await clients.close();
  bus.close();
});

/** Subscribes, and notes the first argument of what comes. */
async function noting(rule: Parameters<Client["addMatch"]>[0], notes: unknown[]) {
  return receiver.addMatch(rule, ({ body }) => notes.push(body[0]));
}

async function emit(text: string, more: object = {}): Promise<void> {
  await sender.emit({ ...PLACE, signature: "s", body: [text], ...more });
}

/** All that was emitted has been delivered. */
async function delivered(): Promise<void> {
  await settled(sender);
  await settled(receiver);
}

describe("subscriptions", () => {
  test("each signal goes to the subscriptions whose rules it matches, and to no other", async () => {
    const notes: Record<string, unknown[]> = { all: [], arg: [], path: [], other: [] };
    await noting({ interface: PLACE.interface }, notes["all"] ?? []);
    const byArgument = await noting("type='signal',member='Member',arg0='two'", notes["arg"] ?? []);
    await noting({ pathNamespace: "/org/example/child" }, notes["path"] ?? []);
    await noting({ member: "Other" }, notes["other"] ?? []);
    await emit("one");
    await emit("two");
    await emit("three", { path: "/org/example/child/x" });
    await delivered();
    expect(notes).toEqual({
      all: ["one", "two", "three"],
      arg: ["two"],
      path: ["three"],
      other: [],
    });
    expect(byArgument.matchedCount).toBe(1);
    expect(byArgument.rule).toBe("type='signal',member='Member',arg0='two'");
  });

  test("equal rules are at the bus once, until the last one goes", async () => {
    const before = bus.subscriptions.ruleCount;
    const notes: unknown[] = [];
    const rules = [
      "member='Member',type='signal'",
      "type=signal,member=Member",
      { member: "Member" },
    ];
    const all = await Promise.all(rules.map((rule) => noting(rule, notes)));
    expect([bus.subscriptions.ruleCount - before, receiver.matchRuleCount]).toEqual([1, 1]);
    await emit("one");
    await delivered();
    expect(notes).toEqual(["one", "one", "one"]);
    const [first, ...others] = all;
    await Promise.all(others.map((subscription) => subscription.unsubscribe()));
    expect(bus.subscriptions.ruleCount - before).toBe(1);
    await emit("two");
    await delivered();
    expect(notes).toEqual(["one", "one", "one", "two"]);
    await first?.[Symbol.asyncDispose]();
    await first?.unsubscribe();
    expect([bus.subscriptions.ruleCount - before, receiver.matchRuleCount]).toEqual([0, 0]);
  });

  test("thousands of subscriptions come and go and leave nothing", async () => {
    const before = bus.subscriptions.ruleCount;
    for (let round = 0; round < 20; round++) {
      const numbers = Array.from({ length: 100 }, (_, index) => `Member${index % 70}`);
      const all = await Promise.all(numbers.map((member) => noting({ member }, [])));
      await Promise.all(all.map((subscription) => subscription.unsubscribe()));
    }
    expect([bus.subscriptions.ruleCount, receiver.matchRuleCount]).toEqual([before, 0]);
  });

  test("a rule with a well-known sender follows the name from owner to owner", async () => {
    const other = await clients.join(bus);
    const name = "org.example.Name";
    const named: unknown[] = [];
    const all: unknown[] = [];
    const before = bus.subscriptions.ruleCount;
    await noting({ interface: PLACE.interface }, all);
    const subscription = await noting({ interface: PLACE.interface, sender: name }, named);
    await emit("nobody's");
    await sender.requestName(name, { allowReplacement: true });
    await emit("sender's");
    await settled(sender);
    await other.requestName(name, { replaceExisting: true });
    await emit("not any more");
    await settled(sender);
    await other.emit({ ...PLACE, signature: "s", body: ["other's"] });
    await settled(other);
    await settled(receiver);
    expect(named).toEqual(["sender's", "other's"]);
    expect(all).toEqual(["nobody's", "sender's", "not any more", "other's"]);
    await subscription.unsubscribe();
    expect(bus.subscriptions.ruleCount - before).toBe(1);
  });

  test("a sender with many names matches by each of them, and by none that it has given up", async () => {
    const names = Array.from({ length: 30 }, (_, index) => `org.example.Name${index}`);
    for (const name of names) await sender.requestName(name);
    const notes: unknown[] = [];
    await Promise.all(
      names.map((name) => receiver.addMatch({ sender: name }, () => notes.push(name))),
    );
    await emit("all");
    await delivered();
    expect(notes.sort()).toEqual([...names].sort());
    notes.length = 0;
    for (const name of names.slice(2)) await sender.releaseName(name);
    await emit("two");
    await delivered();
    expect(notes.sort()).toEqual(names.slice(0, 2));
  });

  test("a name that is owned when the rule is added is known at once", async () => {
    await sender.requestName("org.example.Name");
    const notes: unknown[] = [];
    const rules = { sender: "org.example.Name" };
    const adding = noting(rules, notes);
    await settled(receiver);
    await emit("first");
    await adding;
    await delivered();
    expect(notes).toEqual(["first"]);
  });

  test("a signal that is addressed to the client needs no broadcast to be heard", async () => {
    const notes: unknown[] = [];
    await noting({ interface: PLACE.interface }, notes);
    await noting({ destination: receiver.uniqueName }, notes);
    await emit("to me", { destination: receiver.uniqueName });
    await delivered();
    expect(notes).toEqual(["to me", "to me"]);
  });

  test("an eavesdropper hears what is for others, and answers none of it", async () => {
    const third = await clients.join(bus);
    let answers = 0;
    receiver.onCall = () => {
      answers++;
      return false;
    };
    const heard: (string | null)[] = [];
    await receiver.addMatch("eavesdrop='true',interface='org.example.Interface'", (message) =>
      heard.push(`${message.type} to ${message.destination}`),
    );
    await third.requestName("org.example.Third");
    await emit("unicast", { destination: third.uniqueName });
    await failureOf(sender.call({ ...PLACE, destination: "org.example.Third" }));
    await failureOf(sender.call({ ...PLACE, destination: receiver.uniqueName }));
    await settled(receiver);
    expect(heard.slice(0, 2)).toEqual([
      `${MessageType.Signal} to ${third.uniqueName}`,
      `${MessageType.MethodCall} to org.example.Third`,
    ]);
    expect(answers).toBe(1);
  });

  test("a wrong rule is refused with its place, one that the bus refuses leaves nothing", async () => {
    await expect(noting("type='signal',member='a b'", [])).rejects.toThrow(/'a b'.*character/s);
    await expect(noting({ interface: "x" }, [])).rejects.toThrow(TypeError);
    const poor = createBus({ limits: { maxMatchRulesPerConnection: 1 } });
    const client = await clients.join(poor);
    await client.addMatch({ member: "A" }, () => {});
    const refused = await Promise.all(
      [1, 2].map(() => failureOf(client.addMatch({ member: "B" }, () => {}))),
    );
    expect(refused.map(({ errorName }) => errorName)).toEqual(
      Array(2).fill("org.freedesktop.DBus.Error.LimitsExceeded"),
    );
    expect(client.matchRuleCount).toBe(1);
  });

  test("a listener may unsubscribe and subscribe while it listens", async () => {
    const notes: unknown[] = [];
    const first = await receiver.addMatch({ member: "Member" }, ({ body }, subscription) => {
      notes.push(body[0]);
      void subscription.unsubscribe();
      void noting({ member: "Member", path: PLACE.path }, notes);
    });
    await emit("one");
    await delivered();
    await emit("two");
    await delivered();
    expect(notes).toEqual(["one", "two"]);
    expect(first.matchedCount).toBe(1);
    expect(receiver.matchRuleCount).toBe(1);
  });
});

describe("streams", () => {
  test("signals are iterated over in order; leaving the loop removes the rule", async () => {
    const before = bus.subscriptions.ruleCount;
    const stream = await receiver.signals({ member: "Member" });
    for (const text of ["one", "two", "three"]) await emit(text);
    const got: unknown[] = [];
    for await (const { body } of stream) {
      got.push(body[0]);
      if (got.length === 3) break;
    }
    expect(got).toEqual(["one", "two", "three"]);
    expect(bus.subscriptions.ruleCount).toBe(before);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test.each([
    ["drop-oldest", ["3", "4"]],
    ["drop-newest", ["0", "1"]],
  ] as const)("a full stream drops as it is told: %s", async (whenFull, kept) => {
    const stream = await receiver.signals({ member: "Member" }, { maxBuffered: 2, whenFull });
    for (let i = 0; i < 5; i++) await emit(`${i}`);
    await delivered();
    expect(stream.droppedCount).toBe(3);
    const got = [await stream.next(), await stream.next()];
    expect(got.map(({ value }) => value?.body[0])).toEqual(kept);
    await stream.return();
  });

  test("closing the client ends a stream, a disconnect makes it throw behind what was kept", async () => {
    const own = await receiver.signals({ member: "Member" });
    await emit("kept");
    await delivered();
    await receiver.close();
    expect((await own.next()).value?.body).toEqual(["kept"]);
    expect((await own.next()).done).toBe(true);

    const other = await clients.join(bus);
    const stream = await other.signals({ member: "Member" });
    const waiting = failureOf(stream.next());
    bus.close();
    expect((await waiting).code).toBe("ONEHOP_DISCONNECTED");
    expect((await stream.next()).done).toBe(true);
  });

  test("the bus's own signals are signals like others", async () => {
    const stream = await receiver.signals({
      sender: DRIVER.destination,
      member: "NameOwnerChanged",
    });
    await sender.requestName("org.example.Name");
    const { value } = await stream.next();
    expect((value as ReceivedMessage).body).toEqual(["org.example.Name", "", sender.uniqueName]);
    await stream.return();
  });
});
