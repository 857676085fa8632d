import { Buffer } from "node:buffer";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  ClientAuthentication,
  type ClientAuthenticationOptions,
} from "../../transport/client-authentication.ts";
import { ServerAuthentication } from "../../transport/server-authentication.ts";
import { Memory } from "../../wire/memory.ts";

const GUID = "0123456789abcdef0123456789abcdef";
const OPTIONS: ClientAuthenticationOptions = {
  userId: 1000,
  wantsDescriptors: true,
  expectedGuid: null,
};

function receive(client: ClientAuthentication, text: string): number {
  return client.receive(Memory.of(Buffer.from(text, "latin1")), 0, text.length);
}

test("everything up to BEGIN is said at once", () => {
  expect(new ClientAuthentication(OPTIONS).start()).toBe(
    "\0AUTH EXTERNAL 31303030\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n",
  );
  expect(
    new ClientAuthentication({ ...OPTIONS, userId: null, wantsDescriptors: false }).start(),
  ).toBe("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
});

test.each([
  [1000, true, true],
  [1000, true, false],
  [1000, false, true],
  [null, true, true],
  [null, false, true],
])(
  "client and server agree: user %p, descriptors wanted %p, allowed %p",
  (userId, wants, allows) => {
    const client = new ClientAuthentication({
      userId,
      wantsDescriptors: wants,
      expectedGuid: GUID,
    });
    const server = new ServerAuthentication({
      guid: GUID,
      mechanisms: ["EXTERNAL"],
      peerUserId: 1000,
      allowsDescriptors: allows,
    });
    const said = client.start();
    expect(server.receive(Memory.of(Buffer.from(said)), 0, said.length)).toBe(said.length);
    const answer = server.takeReply();
    expect(receive(client, `${answer}l\x02`)).toBe(answer.length);
    expect(client).toMatchObject({
      isDone: true,
      guid: GUID,
      descriptorsNegotiated: wants && allows,
    });
    expect(server).toMatchObject({ isDone: true, descriptorsNegotiated: wants && allows });
  },
);

test.each([
  ["REJECTED EXTERNAL FOO\r\n", 'rejected the user; it offers "EXTERNAL FOO"'],
  ["OK 1234\r\n", 'GUID is "1234"'],
  ["OK 11111111111111111111111111111111\r\n", "its address says"],
  ["DATA\r\n", 'answered "DATA"'],
  ["AGREE_UNIX_FD\r\n", 'answered "AGREE_UNIX_FD"'],
  ['ERROR "no"\r\n', "answered"],
  [`OK ${GUID}\r\nREJECTED\r\n`, 'answered "REJECTED"'],
  ["OK \xe9\r\n", "answered"],
  ["x".repeat(17000), "more than 16384 bytes"],
])("the answer %j is not accepted", (answer, reason) => {
  const client = new ClientAuthentication({ ...OPTIONS, expectedGuid: GUID });
  expect(receive(client, answer)).toBe(-1);
  expect(client.state).toBe("failed");
  expect(client.failure).toContain(reason);
});

test("the pieces in which an answer arrives make no difference, and random ones do not throw", () => {
  const answers = fc.oneof(
    fc.constantFrom(
      `DATA\r\nOK ${GUID}\r\nAGREE_UNIX_FD\r\nl\x01`,
      `OK ${GUID}\r\nERROR "no"\r\nl`,
      "REJECTED\r\n",
    ),
    fc.string({ unit: "binary-ascii" }),
  );
  fc.assert(
    fc.property(answers, fc.constantFrom(1000, null), (answer, userId) => {
      const whole = new ClientAuthentication({ ...OPTIONS, userId });
      const pieces = new ClientAuthentication({ ...OPTIONS, userId });
      const consumed = receive(whole, answer);
      let sum = 0;
      for (const character of answer) {
        const one = receive(pieces, character);
        if (one < 0) {
          sum = -1;
          break;
        }
        sum += one;
      }
      expect(sum).toBe(consumed);
      expect(pieces.state).toBe(whole.state);
      expect(pieces.failure).toBe(whole.failure);
    }),
  );
});
