/** Whatever a bus sends, a client takes it or leaves, and never breaks its program. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Client } from "../../client/client.ts";
import { connect } from "../../client/connect.ts";
import type { ByteStream } from "../../transport/byte-stream.ts";
import { methodCall, methodReturn, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { Variant } from "../../wire/variant.ts";
import { PLACE } from "./support.ts";

const GUID = "00112233445566778899aabbccddeeff";
const details = new Map([["key", new Variant("a(sb)", [["text", true]])]]);
const contents = { signature: "sa{sv}ay", body: ["text", details, [1, 2, 3]], sender: ":1.9" };
const MESSAGES = [
  encodeMessage(signal({ ...PLACE, ...contents }), 7),
  encodeMessage(signal({ ...PLACE, ...contents }), 7, false),
  encodeMessage(methodCall({ ...PLACE, ...contents, destination: ":1.0" }), 8),
  encodeMessage(methodReturn({ serial: 2, sender: ":1.0" }, contents), 9),
];

/** A client of a bus that has said nothing yet but Hello's reply and AddMatch's. */
async function joined(): Promise<{ client: Client; stream: ByteStream; heard: () => number }> {
  const stream: ByteStream = {
    onBytes: () => {},
    onClose: () => {},
    write: () => {},
    setReading: () => {},
    close: () => {},
  };
  const joining = connect(stream);
  const hello = { signature: "s", body: [":1.0"] };
  stream.onBytes(Buffer.from(`DATA\r\nOK ${GUID}\r\n`));
  stream.onBytes(encodeMessage(methodReturn({ serial: 1, sender: ":1.0" }, hello), 1));
  const client = await joining;
  let count = 0;
  const adding = client.addMatch({ member: "Member", args: [] }, () => {
    count++;
  });
  stream.onBytes(encodeMessage(methodReturn({ serial: 2, sender: ":1.0" }), 2));
  await adding;
  return { client, stream, heard: () => count };
}

test("a whole message is taken, in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 }),
      async (sizes) => {
        const { client, stream, heard } = await joined();
        let rest = Buffer.concat(MESSAGES);
        for (const size of [...sizes, rest.length]) {
          stream.onBytes(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
        expect([heard(), client.isClosed]).toEqual([2, false]);
      },
    ),
    { numRuns: 50 },
  );
});

test("a broken message is taken or ends the connection, with a reason", async () => {
  let closedCount = 0;
  const change = fc.record({ at: fc.nat(400), to: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(MESSAGES.length - 1),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (which, changes) => {
        const bytes = Uint8Array.from(MESSAGES[which] ?? []);
        for (const { at, to } of changes) bytes[at % bytes.length] = to;
        const { client, stream } = await joined();
        stream.onBytes(bytes);
        if (!client.isClosed) return;
        closedCount++;
        const error = await client.closed;
        expect(error?.code).toBe("ONEHOP_DISCONNECTED");
        expect(error?.text).toMatch(/byte \d+ of the message|descriptors/);
      },
    ),
    { numRuns: 500 },
  );
  expect(closedCount).toBeGreaterThan(50);
});
