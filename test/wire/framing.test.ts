/** Streams cut into messages. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { MessageFramer } from "../../wire/framing.ts";
import { methodCall } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";

function sample(length: number, serial: number): Uint8Array {
  const body = ["x".repeat(length)];
  const message = methodCall({ path: "/", member: "A", signature: "s", body });
  return encodeMessage(message, serial, serial % 2 === 0);
}

test("however a stream is cut, the same messages come out", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(6000), { maxLength: 5 }),
      fc.array(fc.nat(9000)),
      (lengths, cuts) => {
        const messages = lengths.map((length, index) => sample(length, index + 1));
        const stream = Buffer.concat(messages);
        const framer = new MessageFramer();
        const received: Uint8Array[] = [];
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          received.push(...framer.push(stream.subarray(at, at + cut)));
          at = Math.min(at + cut, stream.length);
        }
        expect(received.map((bytes) => Buffer.from(bytes))).toEqual(
          messages.map((bytes) => Buffer.from(bytes)),
        );
        expect(framer.pendingBytes).toBe(0);
      },
    ),
  );
});

test("messages have bytes of their own", () => {
  const framer = new MessageFramer();
  const [first] = framer.push(sample(5, 1));
  framer.push(sample(9, 3));
  expect(first).toEqual(sample(5, 1));
});

test("an incomplete message waits", () => {
  const framer = new MessageFramer();
  const bytes = sample(5, 1);
  expect(framer.push(bytes.subarray(0, 15))).toEqual([]);
  expect(framer.push(bytes.subarray(15, 20))).toEqual([]);
  expect(framer.pendingBytes).toBe(20);
  expect(framer.push(bytes.subarray(20))).toHaveLength(1);
});

test("a message longer than the limit is a violation as soon as its length is known", () => {
  const bytes = sample(5000, 1);
  expect(new MessageFramer(bytes.length).push(bytes)).toHaveLength(1);
  expect(() => new MessageFramer(bytes.length - 1).push(bytes.subarray(0, 16))).toThrow(
    expect.objectContaining({ code: "TooLong" }),
  );
});

test("a stream that is not D-Bus is a violation", () => {
  expect(() => new MessageFramer().push(Buffer.from("GET / HTTP/1.1\r\n"))).toThrow(
    expect.objectContaining({ code: "Endianness" }),
  );
});
