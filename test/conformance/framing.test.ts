/** Messages of every size, in pieces of every size, in both byte orders. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { conformance, expectError, useBus } from "./support/conformance.ts";
import { heard, methodCall, methodReturn, signal } from "./support/messages.ts";
import { concatenate, encode, Type } from "./support/wire.ts";

useBus();

const FORMAT = "Message Format";
const MEBIBYTE = 1 << 20;

/** Hands `bytes` to the kernel in pieces, each by a write of its own. */
async function sendInPieces(client: Client, bytes: Uint8Array, byteLength: number): Promise<void> {
  for (let start = 0; start < bytes.length; start += byteLength) {
    client.sendBytes(bytes.subarray(start, start + byteLength));
    await client.flushed();
  }
}

for (const byteLength of [1, 7, 16, 100]) {
  conformance(
    `A message in pieces of ${byteLength} bytes is one message`,
    { spec: FORMAT },
    async (scene) => {
      const [sender, receiver] = [await scene.client(), await scene.client()];
      const draft = methodCall(receiver.uniqueName, {
        signature: "su",
        arguments: ["in pieces", 3],
      });
      await sendInPieces(sender, encode(draft, sender.takeSerial()), byteLength);
      expect((await receiver.next()).arguments).toEqual(["in pieces", 3]);
    },
  );
}

conformance("A driver call in single bytes is answered", { spec: FORMAT }, async (scene) => {
  const client = await scene.client({ until: "begin" });
  const serial = client.takeSerial();
  const hello = encode(
    {
      type: Type.Call,
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
      member: "Hello",
      destination: "org.freedesktop.DBus",
    },
    serial,
  );
  await sendInPieces(client, hello, 1);
  expect((await client.replyTo(serial)).type).toBe(Type.Return);
});

conformance(
  "A thousand messages in one write are a thousand messages",
  { spec: FORMAT },
  async (scene) => {
    const [sender, receiver] = [await scene.client(), await scene.client()];
    const messages = Array.from({ length: 1000 }, (_, index) =>
      encode(
        methodCall(receiver.uniqueName, { signature: "u", arguments: [index] }),
        sender.takeSerial(),
      ),
    );
    sender.sendBytes(concatenate(messages));
    const got = (await heard(sender, receiver)).map(({ arguments: [index] }) => index);
    expect(got).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  },
);

conformance("A message and a half, then the other half", { spec: FORMAT }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  const [first, second] = [1, 2].map((index) =>
    encode(
      methodCall(receiver.uniqueName, { signature: "u", arguments: [index] }),
      sender.takeSerial(),
    ),
  );
  const both = concatenate([first ?? new Uint8Array(), second ?? new Uint8Array()]);
  const cut = (first?.length ?? 0) + 20;
  sender.sendBytes(both.subarray(0, cut));
  expect((await receiver.next()).arguments).toEqual([1]);
  sender.sendBytes(both.subarray(cut));
  expect((await receiver.next()).arguments).toEqual([2]);
});

conformance(
  "A half message does not keep the others from talking",
  { spec: FORMAT },
  async (scene) => {
    const [slow, other] = [await scene.client(), await scene.client()];
    const whole = encode(signal(), slow.takeSerial());
    slow.sendBytes(whole.subarray(0, 30));
    await slow.flushed();
    expect((await other.call("GetId")).type).toBe(Type.Return);
    slow.sendBytes(whole.subarray(30));
    expect(briefs(await slow.drain())).toEqual([]);
  },
);

conformance(
  "A peer that goes in the middle of a message takes the half with it",
  { spec: FORMAT },
  async (scene) => {
    const [half, receiver] = [await scene.client(), await scene.client()];
    const whole = encode(methodCall(receiver.uniqueName), half.takeSerial());
    half.sendBytes(whole.subarray(0, whole.length - 1));
    await half.flushed();
    await scene.leave(half);
    expect(briefs(await receiver.drain())).toEqual([]);
  },
);

for (const mebibytes of [1, 16]) {
  conformance(
    `A message of ${mebibytes} MiB makes a round trip`,
    { spec: FORMAT },
    async (scene) => {
      const [caller, callee] = [await scene.client(), await scene.client()];
      const body = new Uint8Array(4 + mebibytes * MEBIBYTE).fill(0xa5);
      new DataView(body.buffer).setUint32(0, mebibytes * MEBIBYTE, true);
      const serial = caller.send(methodCall(callee.uniqueName, { signature: "ay", body }));
      const call = await callee.next();
      expect(Buffer.compare(call.body, body)).toBe(0);
      callee.send(methodReturn(caller.uniqueName, serial, { signature: "ay", body: call.body }));
      expect(Buffer.compare((await caller.next()).body, body)).toBe(0);
    },
  );
}

conformance(
  "An array of exactly 64 MiB is allowed",
  { spec: "Marshaling: ARRAY" },
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    const body = new Uint8Array(4 + 64 * MEBIBYTE);
    new DataView(body.buffer).setUint32(0, 64 * MEBIBYTE, true);
    caller.send(methodCall(callee.uniqueName, { signature: "ay", body }));
    expect((await callee.next()).body).toHaveLength(body.length);
  },
);

conformance(
  "An array of more than 64 MiB ends the connection",
  { spec: "Marshaling: ARRAY", excused: { "dbus-broker": "it does not hang up" } },
  async (scene) => {
    const [caller, callee] = [await scene.client(), await scene.client()];
    const body = new Uint8Array(4 + 64 * MEBIBYTE + 1);
    new DataView(body.buffer).setUint32(0, 64 * MEBIBYTE + 1, true);
    caller.send(methodCall(callee.uniqueName, { signature: "ay", body }));
    await caller.disconnected();
    expect(briefs(await callee.drain())).toEqual([]);
  },
);

/** The first 16 bytes of a message. */
function prologue(bodyByteLength: number, fieldsByteLength: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  bytes.set([0x6c, Type.Call, 0, 1]);
  view.setUint32(4, bodyByteLength, true);
  view.setUint32(8, 1, true);
  view.setUint32(12, fieldsByteLength, true);
  return bytes;
}

for (const [what, bytes] of [
  ["of more than 128 MiB", prologue(128 * MEBIBYTE, 16)],
  ["whose body claims 4 GiB", prologue(0xffffffff, 16)],
  ["whose header fields claim 128 MiB", prologue(0, 128 * MEBIBYTE)],
  ["whose header fields claim 4 GiB", prologue(0, 0xffffffff)],
] as const) {
  conformance(
    `A message ${what} ends the connection at its first 16 bytes`,
    { spec: FORMAT },
    async (scene) => {
      const client = await scene.client();
      client.sendBytes(bytes);
      await client.disconnected();
    },
  );
}

conformance("A big-endian peer is served by the driver", { spec: FORMAT }, async (scene) => {
  const client = await scene.client();
  const draft = { signature: "su", arguments: ["org.example.BigEndian", 0], bigEndian: true };
  expect((await client.call("RequestName", draft)).arguments).toEqual([1]);
  const owner = await client.call("GetNameOwner", {
    signature: "s",
    arguments: ["org.example.BigEndian"],
    bigEndian: true,
  });
  expect(owner.arguments).toEqual([client.uniqueName]);
});

conformance("A big-endian peer can say Hello", { spec: FORMAT }, async (scene) => {
  const client = await scene.client({ until: "begin" });
  expect((await client.call("Hello", { bigEndian: true })).type).toBe(Type.Return);
});

conformance(
  "Big-endian and little-endian peers call each other",
  { spec: FORMAT },
  async (scene) => {
    const [big, little] = [await scene.client(), await scene.client()];
    const serial = big.send(
      methodCall(little.uniqueName, {
        bigEndian: true,
        signature: "tas",
        arguments: [1n << 40n, ["a", "b"]],
      }),
    );
    const call = await little.next();
    expect(call).toMatchObject({
      bigEndian: true,
      sender: big.uniqueName,
      arguments: [1n << 40n, ["a", "b"]],
    });
    little.send(methodReturn(big.uniqueName, serial, { signature: "x", arguments: [-5n] }));
    expect(await big.next()).toMatchObject({
      bigEndian: false,
      replySerial: serial,
      arguments: [-5n],
    });
  },
);

conformance("A big-endian broadcast is matched like any other", { spec: FORMAT }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  await receiver.addMatch(
    "type='signal',interface='org.example.Big',path_namespace='/big',arg0='x'",
  );
  for (const value of ["x", "y"]) {
    sender.send(
      signal({
        bigEndian: true,
        interface: "org.example.Big",
        path: "/big/one",
        signature: "s",
        arguments: [value],
      }),
    );
  }
  expect(briefs(await heard(sender, receiver))).toEqual(["signal S x"]);
});

conformance("A big-endian call to nobody gets its error", { spec: FORMAT }, async (scene) => {
  const client = await scene.client();
  const serial = client.send(methodCall("org.example.Missing", { bigEndian: true }));
  expectError(await client.replyTo(serial), "ServiceUnknown");
});

conformance("Header fields may come in any order", { spec: FORMAT }, async (scene) => {
  const [sender, receiver] = [await scene.client(), await scene.client()];
  sender.send({
    type: Type.Call,
    fields: [
      [8, "g", "s"],
      [6, "s", receiver.uniqueName],
      [3, "s", "Backwards"],
      [2, "s", "org.example.I"],
      [1, "o", "/o"],
    ],
    body: new Uint8Array([1, 0, 0, 0, 0x78, 0]),
  });
  expect(await receiver.next()).toMatchObject({
    member: "Backwards",
    path: "/o",
    arguments: ["x"],
  });
});
