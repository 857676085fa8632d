/** What monitors are shown of the traffic of others, and what not. */

import { expect } from "@jest/globals";
import { type Client, DRIVER_PATH, PEER } from "./support/client.ts";
import { conformance, type Scene, useBus } from "./support/conformance.ts";
import { INTERFACE, methodCall, methodReturn, PATH, signal } from "./support/messages.ts";
import { becomeMonitor, monitor, seen, shown } from "./support/watch.ts";
import { type Draft, encode, Flag, Type } from "./support/wire.ts";

useBus();

const MONITOR = "org.freedesktop.DBus.Monitoring.BecomeMonitor";

async function scenery(
  scene: Scene,
  rules: readonly string[] = [],
): Promise<[silent: Client, a: Client, b: Client]> {
  const [a, b] = [await scene.client(), await scene.client()];
  return [await monitor(scene, rules), a, b];
}

/** Waits until `receiver` has got a call, and answers it. */
async function answer(receiver: Client, draft: Partial<Draft> = {}): Promise<void> {
  const { sender, serial } = await receiver.first(({ type }) => type === Type.Call);
  receiver.send(methodReturn(sender ?? "", serial, draft));
}

conformance(
  "A monitor sees a call between others and its reply",
  { spec: MONITOR },
  async (scene) => {
    const [silent, a, b] = await scenery(scene);
    const serial = a.send(methodCall(b.uniqueName, { signature: "s", arguments: ["question"] }));
    await answer(b, { signature: "u", arguments: [42] });
    await a.replyTo(serial);
    expect(await seen(silent, a, { a, b })).toEqual(["call a > b M question", "return b > a 42"]);
  },
);

conformance("A monitor sees an error that a peer answers", { spec: MONITOR }, async (scene) => {
  const [silent, a, b] = await scenery(scene);
  const serial = a.send(methodCall(b.uniqueName));
  await b.next();
  b.send({
    type: Type.Error,
    errorName: "org.freedesktop.DBus.Error.Failed",
    destination: a.uniqueName,
    replySerial: serial,
  });
  await a.replyTo(serial);
  expect(await seen(silent, a, { a, b })).toEqual(["call a > b M", "error b > a Failed"]);
});

conformance(
  "A monitor sees a signal that nobody subscribed to",
  { spec: MONITOR },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    a.send(signal());
    expect(await seen(silent, a, { a })).toEqual(["signal a > S"]);
  },
);

conformance("A monitor sees a signal for one peer", { spec: MONITOR }, async (scene) => {
  const [silent, a, b] = await scenery(scene);
  a.send(signal({ destination: b.uniqueName }));
  expect(await seen(silent, a, { a, b })).toEqual(["signal a > b S"]);
});

conformance(
  "A monitor sees a call under the name that it was sent to",
  { spec: MONITOR },
  async (scene) => {
    const [silent, a, b] = await scenery(scene);
    await b.requestName("org.example.Shown");
    await seen(silent, a, {});
    a.send(methodCall("org.example.Shown"));
    expect(await seen(silent, a, { a, b })).toEqual(["call a > org.example.Shown M"]);
  },
);

conformance(
  "A monitor sees a call to the bus, its signals, and its reply",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    await a.requestName("org.example.Monitored");
    expect(await seen(silent, a, { a })).toEqual([
      "call a > bus RequestName org.example.Monitored 0",
      'signal bus > NameOwnerChanged org.example.Monitored "" a',
      "signal bus > a NameAcquired org.example.Monitored",
      "return bus > a 1",
    ]);
  },
);

conformance(
  "A monitor sees a peer come, with its name as the sender of Hello",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    const c = await scene.client();
    expect(await seen(silent, a, { c })).toEqual([
      "call c > bus Hello",
      "return bus > c c",
      'signal bus > NameOwnerChanged c "" c',
      "signal bus > c NameAcquired c",
    ]);
  },
);

conformance("A monitor sees a peer go, with its names", { spec: "dbus-daemon" }, async (scene) => {
  const [silent, a, b] = await scenery(scene);
  await b.requestName("org.example.Leaving");
  await seen(silent, a, {});
  await scene.leave(b);
  expect(await seen(silent, a, { b })).toEqual([
    "signal bus > b NameLost org.example.Leaving",
    'signal bus > NameOwnerChanged org.example.Leaving b ""',
    "signal bus > b NameLost b",
    'signal bus > NameOwnerChanged b b ""',
  ]);
});

conformance("A monitor sees the error that the bus answers", { spec: MONITOR }, async (scene) => {
  const [silent, a] = await scenery(scene);
  await a.call("NoSuchMethod");
  expect(await seen(silent, a, { a })).toEqual([
    "call a > bus NoSuchMethod",
    "error bus > a UnknownMethod",
  ]);
});

for (const [what, flags, error] of [
  ["a call to a name that nobody has", 0, "ServiceUnknown"],
  ["the same that must not start anything", Flag.NoAutoStart, "NameHasNoOwner"],
] as const) {
  conformance(`A monitor sees ${what}, and the error`, { spec: MONITOR }, async (scene) => {
    const [silent, a] = await scenery(scene);
    await a.replyTo(a.send(methodCall("org.example.Missing", { flags })));
    expect(await seen(silent, a, { a })).toEqual([
      "call a > org.example.Missing M",
      `error bus > a ${error}`,
    ]);
  });
}

conformance(
  "A monitor sees a call to nobody that wants no reply",
  { spec: MONITOR },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    a.send(methodCall("org.example.Missing", { flags: Flag.NoReplyExpected }));
    expect((await seen(silent, a, { a }))[0]).toBe("call a > org.example.Missing M");
  },
);

conformance("A monitor sees a reply that nobody waits for", { spec: MONITOR }, async (scene) => {
  const [silent, a, b] = await scenery(scene);
  a.send(methodReturn(b.uniqueName, 4711, { signature: "s", arguments: ["unasked"] }));
  expect((await seen(silent, a, { a, b }))[0]).toBe("return a > b unasked");
});

conformance(
  "A monitor sees a signal to a name that nobody has",
  { spec: MONITOR },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    a.send(signal({ destination: "org.example.Missing" }));
    expect((await seen(silent, a, { a }))[0]).toBe("signal a > org.example.Missing S");
  },
);

conformance(
  "A monitor sees a call that comes before Hello, and the error",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it hangs up and shows nothing" } },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    const early = await scene.client({ until: "begin" });
    await early.call("ListNames");
    expect(await seen(silent, a, {})).toEqual([
      "call :not.active.yet > bus ListNames",
      "error bus > :not.active.yet AccessDenied",
    ]);
  },
);

for (const [what, draft, shownAs] of [
  ["a signal", signal(), "signal :not.active.yet > S"],
  ["a call to a peer", methodCall("org.example.Some"), "call :not.active.yet > org.example.Some M"],
] as const) {
  conformance(
    `A monitor sees ${what} that comes before Hello and costs its sender the connection`,
    { spec: "dbus-daemon", excused: { "dbus-broker": "it hangs up and shows nothing" } },
    async (scene) => {
      const [silent, a] = await scenery(scene);
      const early = await scene.client({ until: "begin" });
      early.send(draft);
      await early.disconnected();
      expect(await seen(silent, a, {})).toEqual([shownAs]);
    },
  );
}

conformance(
  "A monitor sees another one come",
  { spec: "dbus-daemon", excused: { "dbus-broker": "x" } },
  async (scene) => {
    const [silent, a, b] = await scenery(scene);
    await b.requestName("org.example.Turning");
    await seen(silent, a, {});
    await becomeMonitor(b, ["member='Nothing'"]);
    expect(await seen(silent, a, { b })).toEqual([
      "call b > bus BecomeMonitor member='Nothing' 0",
      "return bus > b",
      "signal bus > b NameLost b",
      'signal bus > NameOwnerChanged b b ""',
      "signal bus > b NameLost org.example.Turning",
      'signal bus > NameOwnerChanged org.example.Turning b ""',
    ]);
  },
);

conformance(
  "A monitor that comes while there is another sees its own names go",
  {
    spec: "dbus-daemon",
    excused: {
      onehop: "it is told that it lost them, and sees what comes then (compat/README.md)",
      "dbus-broker": "it is told that it lost them, and sees what comes then",
    },
  },
  async (scene) => {
    await monitor(scene);
    const [a, b] = [await scene.client(), await scene.client()];
    await becomeMonitor(b);
    expect(await seen(b, a, { b })).toEqual([
      "signal bus > b NameLost b",
      'signal bus > NameOwnerChanged b b ""',
    ]);
  },
);

conformance("A monitor sees nothing of what others are shown", { spec: MONITOR }, async (scene) => {
  const [silent, a] = await scenery(scene);
  await monitor(scene);
  await seen(silent, a, {});
  a.send(signal());
  expect(await seen(silent, a, { a })).toEqual(["signal a > S"]);
});

conformance(
  "A monitor is not told who a sender pretends to be",
  { spec: MONITOR },
  async (scene) => {
    const [silent, a, b] = await scenery(scene);
    a.send(signal({ sender: b.uniqueName }));
    expect(await seen(silent, a, { a, b })).toEqual(["signal a > S"]);
  },
);

conformance(
  "A monitor does not see header fields that nobody knows",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it passes them on" } },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    a.send(signal({ fields: [[100, "s", "unknown"]] }));
    const [message] = await shown(silent, a);
    expect([...(message?.fields.keys() ?? [])]).not.toContain(100);
    expect(message?.member).toBe("S");
  },
);

conformance(
  "A monitor sees nothing of a message that is no message, but its sender go",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [silent, a, b] = await scenery(scene);
    const bytes = Buffer.from(encode(signal(), b.takeSerial()));
    bytes[3] = 2; // the protocol version
    b.sendBytes(bytes);
    await b.disconnected();
    await scene.gone(b.uniqueName);
    expect(await seen(silent, a, { b })).toEqual([
      "signal bus > b NameLost b",
      'signal bus > NameOwnerChanged b b ""',
    ]);
  },
);

conformance(
  "A monitor sees flags, serial, byte order and body as they were sent",
  { spec: MONITOR },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    a.send(
      signal({
        bigEndian: true,
        flags: Flag.NoAutoStart | Flag.AllowInteractiveAuthorization,
        serial: 0x01020304,
        signature: "sua{sv}",
        arguments: ["text", 7, [["key", { signature: "i", value: -1 }]]],
      }),
    );
    const [message] = await shown(silent, a);
    expect(message).toMatchObject({
      bigEndian: true,
      flags: Flag.NoAutoStart | Flag.AllowInteractiveAuthorization,
      serial: 0x01020304,
      path: PATH,
      interface: INTERFACE,
      signature: "sua{sv}",
      arguments: ["text", 7, [["key", { signature: "i", value: -1 }]]],
    });
  },
);

conformance("A monitor sees a long message whole", { spec: MONITOR }, async (scene) => {
  const [silent, a, b] = await scenery(scene);
  const body = "x".repeat(3 << 20);
  a.send(methodCall(b.uniqueName, { signature: "s", arguments: [body] }));
  expect((await b.next()).arguments).toEqual([body]);
  const [message] = await shown(silent, a);
  expect(message?.body.length).toBe(body.length + 5);
  expect(message?.arguments).toEqual([body]);
});

conformance(
  "A monitor does not see a call without a destination",
  {
    spec: "dbus-daemon",
    excused: {
      onehop: "it shows them and their answers (compat/README.md)",
      "dbus-broker": "it shows them and their answers",
    },
  },
  async (scene) => {
    const [silent, a] = await scenery(scene);
    await a.replyTo(
      a.send({ type: Type.Call, path: DRIVER_PATH, interface: PEER, member: "Ping" }),
    );
    expect(await seen(silent, a, { a })).toEqual([]);
  },
);

conformance(
  "A monitor sees a message of unknown type, and the error",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it hangs up" } },
  async (scene) => {
    const [silent, a, b] = await scenery(scene);
    const serial = a.send({ ...signal({ destination: b.uniqueName }), type: 5 });
    await a.replyTo(serial);
    expect(await seen(silent, a, { a, b })).toEqual([
      "type 5 a > b S",
      "error bus > a AccessDenied",
    ]);
  },
);

conformance("Every monitor sees everything", { spec: MONITOR }, async (scene) => {
  const [first, a, b] = await scenery(scene);
  const second = await monitor(scene);
  await shown(first, a);
  await shown(second, a);
  a.send(methodCall(b.uniqueName));
  a.send(signal());
  await a.call("NoSuchMethod");
  const expected = [
    "call a > b M",
    "signal a > S",
    "call a > bus NoSuchMethod",
    "error bus > a UnknownMethod",
  ];
  expect(await seen(first, a, { a, b })).toEqual(expected);
  expect(await seen(second, a, { a, b })).toEqual(expected);
});

// Rules

async function shownBy(
  scene: Scene,
  rules: readonly string[],
  act: (a: Client, b: Client) => Promise<void> | void,
): Promise<string[]> {
  const [silent, a, b] = await scenery(scene, rules);
  await b.requestName("org.example.Ruled");
  await seen(silent, a, {});
  await act(a, b);
  return seen(silent, a, { a, b });
}

conformance(
  "A monitor sees a message once, however many rules match",
  { spec: MONITOR },
  async (scene) => {
    const rules = ["", "type='signal'", "member='S'", `path='${PATH}'`, "member='S'"];
    expect(await shownBy(scene, rules, (a) => void a.send(signal()))).toEqual(["signal a > S"]);
  },
);

conformance("A monitor with an empty rule sees everything", { spec: MONITOR }, async (scene) => {
  const lines = await shownBy(scene, [""], (a, b) => {
    a.send(methodCall(b.uniqueName));
    a.send(signal());
  });
  expect(lines).toEqual(["call a > b M", "signal a > S"]);
});

const RULES: readonly (readonly [rule: string, lines: readonly string[]])[] = [
  [
    "type='method_call'",
    [
      "call a > org.example.Ruled M text",
      "call a > b N",
      "call a > bus ListNames",
      "call a > org.example.Missing M",
    ],
  ],
  ["type='signal'", ["signal a > S text", "signal a > b T"]],
  ["type='method_return',sender='org.freedesktop.DBus'", ["return bus > a"]],
  ["type='error'", ["error bus > a ServiceUnknown"]],
  ["member='N'", ["call a > b N"]],
  ["arg0='text'", ["call a > org.example.Ruled M text", "signal a > S text"]],
  ["path='/org/example/Other'", ["signal a > b T"]],
  ["path_namespace='/org/freedesktop'", ["call a > bus ListNames"]],
  ["destination='org.freedesktop.DBus'", ["call a > bus ListNames"]],
  [
    "destination='org.example.Ruled'",
    ["call a > org.example.Ruled M text", "call a > b N", "signal a > b T"],
  ],
  ["destination='org.example.Missing'", ["call a > org.example.Missing M"]],
  ["sender='org.example.Ruled'", []],
  ["eavesdrop='false',member='N'", ["call a > b N"]],
  ["interface='org.freedesktop.DBus',type='method_call'", ["call a > bus ListNames"]],
];

const IGNORES_DESTINATION = { "dbus-broker": "it does not look at destination" } as const;

for (const [rule, lines] of RULES) {
  const excused = rule.startsWith("destination=") ? IGNORES_DESTINATION : {};
  conformance(
    `A monitor with ${rule} sees what matches`,
    { spec: "Match Rules", excused },
    async (scene) => {
      const text = { signature: "s", arguments: ["text"] };
      const got = await shownBy(scene, [rule], async (a, b) => {
        a.send(methodCall("org.example.Ruled", text));
        a.send(methodCall(b.uniqueName, { member: "N" }));
        a.send(signal(text));
        a.send(signal({ member: "T", path: "/org/example/Other", destination: b.uniqueName }));
        await a.call("ListNames");
        await a.replyTo(a.send(methodCall("org.example.Missing")));
      });
      const isNames = (each: string): boolean => each.startsWith("return bus > a ");
      expect(got.map((each) => (isNames(each) ? "return bus > a" : each))).toEqual(lines);
    },
  );
}

conformance(
  "A monitor's rule about a sender follows the name to its next owner",
  { spec: "Match Rules: sender" },
  async (scene) => {
    const [silent, a, b] = await scenery(scene, ["sender='org.example.Moving'"]);
    await a.requestName("org.example.Moving");
    await b.requestName("org.example.Moving");
    a.send(signal({ member: "First" }));
    await a.releaseName("org.example.Moving");
    a.send(signal({ member: "Second" }));
    await a.drain();
    b.send(signal({ member: "Third" }));
    const lines = (await seen(silent, b, { a, b })).filter((each) => each.startsWith("signal"));
    expect(lines).toEqual(["signal a > First", "signal b > Third"]);
  },
);
