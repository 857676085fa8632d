/** Messages with a destination: whom they reach, what of them the bus changes, and what happens if nobody is there. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { DRIVER, PEER } from "./support/client.ts";
import { conformance, expectError, useBus } from "./support/conformance.ts";
import {
  errorReply,
  heard,
  INTERFACE,
  methodCall,
  methodReturn,
  PATH,
  signal,
} from "./support/messages.ts";
import { type Draft, encodeBody, Field, Flag, Type, type Value } from "./support/wire.ts";

useBus();

const ROUTING = "Message Bus Message Routing";
const MISSING = "org.example.Missing";

conformance(
  "A call to a unique name arrives as it was sent, with a sender",
  { spec: ROUTING },
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    const serial = caller.send(
      methodCall(callee.uniqueName, {
        signature: "su",
        arguments: ["hello", 7],
        flags: Flag.NoAutoStart,
      }),
    );
    expect(await callee.next()).toMatchObject({
      type: Type.Call,
      serial,
      flags: Flag.NoAutoStart,
      path: PATH,
      interface: INTERFACE,
      member: "M",
      destination: callee.uniqueName,
      sender: caller.uniqueName,
      signature: "su",
      arguments: ["hello", 7],
    });
  },
);

conformance(
  "A call to a well-known name keeps that name as its destination",
  { spec: ROUTING },
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    await callee.requestName("org.example.Kept");
    await callee.drain();
    caller.send(methodCall("org.example.Kept"));
    expect((await callee.next()).destination).toBe("org.example.Kept");
  },
);

for (const [what, draft] of [
  ["call", methodCall("")],
  ["signal", signal()],
  ["method return", methodReturn("", 5)],
] as const) {
  conformance(
    `The forged sender of a ${what} is replaced by the true one`,
    { spec: "Header Fields: SENDER" },
    async (scene) => {
      const [forger, receiver] = [await scene.client(), await scene.client()];
      // A return passes everywhere only if it was asked for.
      const replySerial = receiver.sendCall("M", methodCall(forger.uniqueName));
      await forger.next();
      forger.send({
        ...draft,
        destination: receiver.uniqueName,
        sender: ":1.99999",
        ...(draft.type === Type.Return ? { replySerial } : {}),
      });
      expect((await receiver.next()).sender).toBe(forger.uniqueName);
    },
  );
}

conformance(
  "The driver's name cannot be forged as a sender",
  { spec: "Header Fields: SENDER" },
  async (scene) => {
    const [forger, receiver] = [await scene.client(), await scene.client()];
    forger.send(
      signal({
        destination: receiver.uniqueName,
        sender: DRIVER,
        interface: DRIVER,
        member: "NameLost",
      }),
    );
    expect((await receiver.next()).sender).toBe(forger.uniqueName);
  },
);

conformance(
  "Unknown header fields do not reach the receiver",
  {
    spec: "Message Bus Properties: HeaderFiltering",
    excused: { "dbus-broker": "it forwards unknown header fields" },
  },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    sender.send(
      methodCall(receiver.uniqueName, {
        signature: "s",
        arguments: ["kept"],
        fields: [
          [100, "s", "x"],
          [200, "a{sv}", [["k", { signature: "u", value: 1 }]]],
        ],
      }),
    );
    const message = await receiver.next();
    expect([...message.fields.keys()].filter((code) => code > Field.UnixFds)).toEqual([]);
    expect(message.arguments).toEqual(["kept"]);
  },
);

conformance(
  "Flags the bus does not know reach the receiver",
  { spec: "Message Format: flags" },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    sender.send(
      methodCall(receiver.uniqueName, { flags: 0xf8 | Flag.AllowInteractiveAuthorization }),
    );
    expect((await receiver.next()).flags).toBe(0xf8 | Flag.AllowInteractiveAuthorization);
  },
);

conformance(
  "A call without an interface arrives without one",
  { spec: "Message types: METHOD_CALL" },
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    caller.send({ type: Type.Call, path: PATH, member: "M", destination: callee.uniqueName });
    expect((await callee.next()).interface).toBeNull();
  },
);

conformance("The largest serial is a serial", { spec: "Message Format: serial" }, async (scene) => {
  const [caller, callee] = [await scene.client(), await scene.client()];
  caller.send(methodCall(callee.uniqueName, { serial: 0xffffffff }));
  expect((await callee.next()).serial).toBe(0xffffffff);
  callee.send(methodReturn(caller.uniqueName, 0xffffffff));
  expect((await caller.next()).replySerial).toBe(0xffffffff);
});

const EVERY_TYPE = "ybnqiuxtdsogvasa{sv}(yd)aaiah";
const EVERY_VALUE: readonly Value[] = [
  255,
  true,
  -32768,
  65535,
  -2147483648,
  4294967295,
  -9223372036854775808n,
  18446744073709551615n,
  -0.5,
  "ünïcödé 🚌",
  "/a/b_1",
  "a{s(iv)}",
  { signature: "(sv)", value: ["x", { signature: "ai", value: [1, 2] }] },
  ["", "a"],
  [["k", { signature: "t", value: 1n }]],
  [1, 2.5],
  [[], [1], [2, 3]],
  [],
];

for (const bigEndian of [false, true]) {
  conformance(
    `A ${bigEndian ? "big" : "little"}-endian body of every type arrives byte for byte`,
    { spec: "Marshaling" },
    async (scene) => {
      const [caller, callee] = [await scene.client(), await scene.client()];
      caller.send(
        methodCall(callee.uniqueName, { signature: EVERY_TYPE, arguments: EVERY_VALUE, bigEndian }),
      );
      const message = await callee.next();
      expect(message.bigEndian).toBe(bigEndian);
      expect(message.arguments).toEqual(EVERY_VALUE);
      expect(message.body).toEqual(Buffer.from(encodeBody(EVERY_TYPE, EVERY_VALUE, bigEndian)));
      expect(message.sender).toBe(caller.uniqueName);
    },
  );
}

conformance("A peer may call itself", { spec: ROUTING }, async (scene) => {
  const client = await scene.client();
  const serial = client.send(methodCall(client.uniqueName));
  expect(await client.next()).toMatchObject({ serial, sender: client.uniqueName, type: Type.Call });
  client.send(methodReturn(client.uniqueName, serial, { signature: "s", arguments: ["self"] }));
  expect((await client.next()).arguments).toEqual(["self"]);
});

conformance(
  "A signal with a destination reaches that peer, without a rule",
  { spec: ROUTING },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    sender.send(signal({ destination: receiver.uniqueName }));
    expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
  },
);

conformance(
  "A signal with a destination reaches it once, whatever its rules",
  { spec: ROUTING },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    await receiver.addMatch("type='signal'");
    await receiver.addMatch("member='S'");
    sender.send(signal({ destination: receiver.uniqueName }));
    expect(briefs(await heard(sender, receiver))).toEqual(["signal S"]);
  },
);

conformance(
  "A signal with a destination reaches nobody else, whatever their rules",
  { spec: ROUTING },
  async (scene) => {
    const [sender, receiver, other] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await other.addMatch("type='signal'");
    await other.addMatch(`destination='${receiver.uniqueName}'`);
    sender.send(signal({ destination: receiver.uniqueName }));
    expect(briefs(await heard(sender, other))).toEqual([]);
  },
);

conformance(
  "A signal with a destination reaches an eavesdropper that the policy lets listen",
  { spec: "Match Rules: eavesdrop", excused: { "dbus-broker": "it does not know eavesdrop" } },
  async (scene) => {
    const [sender, receiver, other] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await other.addMatch("type='signal',eavesdrop='true'");
    sender.send(signal({ destination: receiver.uniqueName }));
    expect(briefs(await heard(sender, other))).toEqual(["signal S"]);
    expect(briefs(await receiver.drain())).toEqual(["signal S"]);
  },
);

conformance("A call to a name reaches its primary owner only", { spec: ROUTING }, async (scene) => {
  const [owner, queued, caller] = [
    await scene.client(),
    await scene.client(),
    await scene.client(),
  ];
  await owner.requestName("org.example.Primary");
  await queued.requestName("org.example.Primary");
  await owner.drain();
  caller.send(methodCall("org.example.Primary"));
  expect(briefs(await heard(caller, owner))).toEqual(["call M"]);
  expect(briefs(await queued.drain())).toEqual([]);
});

conformance(
  "A call to a name follows the name to its next owner",
  { spec: ROUTING },
  async (scene) => {
    const [owner, queued, caller] = [
      await scene.client(),
      await scene.client(),
      await scene.client(),
    ];
    await owner.requestName("org.example.Moving");
    await queued.requestName("org.example.Moving");
    await scene.leave(owner);
    await queued.drain();
    caller.send(methodCall("org.example.Moving"));
    expect(briefs(await heard(caller, queued))).toEqual(["call M"]);
  },
);

// Nobody there

const NOT_PROVIDED = (name: string): string =>
  `The name ${name} was not provided by any .service files`;

for (const name of [MISSING, ":1.99999"]) {
  conformance(
    `A call to ${name}, which nobody has, is a ServiceUnknown`,
    { spec: ROUTING },
    async (scene) => {
      const caller = await scene.client();
      expectError(await caller.call("M", methodCall(name)), "ServiceUnknown", NOT_PROVIDED(name));
    },
  );

  conformance(
    `A call to ${name} that must not start anything is a NameHasNoOwner`,
    {
      spec: "dbus-daemon",
    },
    async (scene) => {
      const caller = await scene.client();
      const reply = await caller.call("M", methodCall(name, { flags: Flag.NoAutoStart }));
      expectError(reply, "NameHasNoOwner", `Name "${name}" does not exist`);
    },
  );
}

conformance(
  "The error about a missing name comes from the driver and names no more than the serial",
  { spec: ROUTING },
  async (scene) => {
    const caller = await scene.client();
    const serial = caller.send(methodCall(MISSING));
    expect(await caller.next()).toMatchObject({
      sender: DRIVER,
      destination: caller.uniqueName,
      replySerial: serial,
      signature: "s",
      path: null,
      interface: null,
      member: null,
    });
  },
);

conformance(
  "A call to a missing name that expects no reply is answered by an error all the same",
  {
    spec: "dbus-daemon",
    excused: {
      "dbus-broker": "it honours the flag",
      onehop: "a call that expects no reply gets none (docs/decisions/0011)",
    },
  },
  async (scene) => {
    const caller = await scene.client();
    caller.send(methodCall(MISSING, { flags: Flag.NoReplyExpected }));
    expect(briefs(await caller.drain())).toEqual(["error ServiceUnknown"]);
  },
);

for (const [what, draft] of [
  ["A signal", signal({ destination: MISSING })],
  ["A method return", methodReturn(":1.99999", 5)],
  ["An error", errorReply(MISSING, 5)],
] as const) {
  conformance(
    `${what} to a missing name is answered by an error`,
    { spec: "dbus-daemon", excused: { "dbus-broker": "it drops what is not a call" } },
    async (scene) => {
      const sender = await scene.client();
      const serial = sender.send(draft);
      const arrivals = await sender.drain();
      expect(briefs(arrivals)).toEqual(["error ServiceUnknown"]);
      expect(arrivals[0]?.replySerial).toBe(serial);
    },
  );
}

conformance("A peer that has gone can be called no more", { spec: ROUTING }, async (scene) => {
  const [caller, callee] = [await scene.client(), await scene.client()];
  await scene.leave(callee);
  expectError(
    await caller.call("M", methodCall(callee.uniqueName)),
    "ServiceUnknown",
    NOT_PROVIDED(callee.uniqueName),
  );
});

// No destination, or an odd message

conformance(
  "Ping without a destination is answered",
  {
    spec: "dbus-daemon",
    excused: {
      "dbus-broker": "it answers in its own name",
      onehop: "SENDER is always set, as the specification says",
    },
  },
  async (scene) => {
    const client = await scene.client();
    const serial = client.send({ type: Type.Call, path: "/", interface: PEER, member: "Ping" });
    expect(await client.next()).toMatchObject({
      type: Type.Return,
      replySerial: serial,
      sender: null,
      destination: null,
    });
  },
);

conformance(
  "Any other call without a destination is an UnknownMethod",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const serial = client.send({ type: Type.Call, path: PATH, interface: INTERFACE, member: "M" });
    const reply = await client.replyTo(serial);
    expectError(
      reply,
      "UnknownMethod",
      `Method "M" with signature "" on interface "${INTERFACE}" doesn't exist\n`,
    );
  },
);

const draftsWithoutDestination: readonly (readonly [what: string, draft: Draft])[] = [
  ["A method return", { type: Type.Return, replySerial: 5 }],
  ["An error", { type: Type.Error, errorName: "org.example.E", replySerial: 5 }],
];

for (const [what, draft] of draftsWithoutDestination) {
  conformance(
    `${what} without a destination reaches nobody`,
    { spec: "dbus-daemon" },
    async (scene) => {
      const [sender, other] = [await scene.client(), await scene.client()];
      await other.addMatch("");
      sender.send(draft);
      expect(briefs(await heard(sender, other))).toEqual([]);
    },
  );
}

conformance(
  "A message of an unknown type to a peer is refused, and the connection lives",
  { spec: "Message types", excused: { "dbus-broker": "it refuses nothing and answers nothing" } },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const serial = sender.send(methodCall(receiver.uniqueName, { type: 5 }));
    const refusal = await sender.replyTo(serial);
    expectError(refusal, "AccessDenied", "Message bus will not accept messages of unknown type\n");
    expect(briefs(await receiver.drain())).toEqual([]);
  },
);

conformance(
  "A broadcast of an unknown type is dropped, and the connection lives",
  { spec: "Message types" },
  async (scene) => {
    const [sender, other] = [await scene.client(), await scene.client()];
    await other.addMatch("type='signal'");
    sender.send({ ...signal(), type: 5 });
    expect(briefs(await heard(sender, other))).toEqual([]);
  },
);

for (const [what, draft] of [
  ["interface org.freedesktop.DBus.Local", { interface: "org.freedesktop.DBus.Local" }],
  ["path /org/freedesktop/DBus/Local", { path: "/org/freedesktop/DBus/Local" }],
] as const) {
  conformance(
    `A signal with the reserved ${what} ends the connection`,
    { spec: "Header Fields" },
    async (scene) => {
      const [sender, other] = [await scene.client(), await scene.client()];
      await other.addMatch("type='signal',member='S'");
      sender.send(signal(draft));
      await sender.disconnected();
      expect(briefs(await other.drain())).toEqual([]);
    },
  );
}
