/** Buses that cannot be watched: what is said to whom, and what to do. */

import { expect, test } from "@jest/globals";
import { becomeMonitor } from "../../cli/monitor/live-messages.ts";
import { connect } from "../../client/connect.ts";
import type { ByteStream } from "../../transport/byte-stream.ts";
import { MessageFramer } from "../../wire/framing.ts";
import { errorReply, methodReturn } from "../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../wire/message-codec.ts";

/** A bus that knows Hello, and refuses all else with this error. */
function refusingBus(errorName: string): ByteStream {
  const framer = new MessageFramer();
  let isPastHandshake = false;
  let serial = 0;
  const answer = (bytes: Uint8Array): void => {
    setImmediate(() => stream.onBytes(bytes));
  };
  const stream: ByteStream = {
    onBytes: () => {},
    onClose: () => {},
    setReading: () => {},
    close: () => {},
    write: (bytes) => {
      let rest = Buffer.from(bytes);
      if (!isPastHandshake) {
        const text = rest.toString("latin1");
        // The client says all its lines at once, and gets an answer to each.
        if (text.includes("AUTH")) answer(Buffer.from(`DATA\r\nOK ${"0".repeat(32)}\r\n`));
        const begin = text.indexOf("BEGIN\r\n");
        isPastHandshake = begin !== -1;
        rest = isPastHandshake ? rest.subarray(begin + 7) : Buffer.alloc(0);
      }
      for (const whole of framer.push(rest)) {
        const call = { ...decodeMessage(whole), sender: ":1.1" };
        const reply =
          call.member === "Hello"
            ? methodReturn(call, { signature: "s", body: [":1.1"], sender: "org.freedesktop.DBus" })
            : errorReply(call, errorName, "said the bus");
        answer(encodeMessage(reply, ++serial));
      }
    },
  };
  return stream;
}

test.each([
  ["AccessDenied", "the bus does not let this user watch it: said the bus", "sudo onehop monitor"],
  ["UnknownMethod", "the bus cannot be watched: it has no method BecomeMonitor", "1.9.10"],
  ["UnknownInterface", "the bus cannot be watched: it has no method BecomeMonitor", "1.9.10"],
])("%s", async (error, text, hint) => {
  const client = await connect(refusingBus(`org.freedesktop.DBus.Error.${error}`));
  await expect(becomeMonitor(client, [])).rejects.toMatchObject({
    status: 1,
    message: expect.stringContaining(text),
    hint: expect.stringContaining(hint),
  });
  await client.close();
});
