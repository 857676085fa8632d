import { Buffer } from "node:buffer";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  ServerAuthentication,
  type ServerAuthenticationOptions,
} from "../../transport/server-authentication.ts";
import { Memory } from "../../wire/memory.ts";
import { authenticationScripts } from "./authentication-scripts.ts";

const GUID = "0123456789abcdef0123456789abcdef";
const OPTIONS: ServerAuthenticationOptions = {
  guid: GUID,
  mechanisms: ["EXTERNAL"],
  peerUserId: 1000,
  allowsDescriptors: true,
};
const AUTH = "\0AUTH EXTERNAL 31303030\r\n";

function memoryOf(text: string): Memory {
  return Memory.of(Buffer.from(text, "latin1"));
}

/** Feeds all of `text` and returns what `receive` said, with the replies. */
function play(
  authentication: ServerAuthentication,
  text: string,
): { consumed: number; reply: string } {
  const consumed = authentication.receive(memoryOf(text), 0, text.length);
  return { consumed, reply: authentication.takeReply() };
}

test("a client may say everything at once, and its first message stays where it is", () => {
  const authentication = new ServerAuthentication(OPTIONS);
  const handshake = `${AUTH}NEGOTIATE_UNIX_FD\r\nBEGIN\r\n`;
  expect(authentication.userId).toBeNull();
  expect(play(authentication, `${handshake}l\x01\0\x01`)).toEqual({
    consumed: handshake.length,
    reply: `OK ${GUID}\r\nAGREE_UNIX_FD\r\n`,
  });
  expect(authentication).toMatchObject({
    isDone: true,
    state: "done",
    userId: 1000,
    descriptorsNegotiated: true,
    failure: "",
  });
  expect(play(authentication, "l\x01")).toEqual({ consumed: 0, reply: "" });
});

test("only the given part of the memory is read", () => {
  const authentication = new ServerAuthentication(OPTIONS);
  const memory = memoryOf(`xxx${AUTH}BEGIN\r\n`);
  expect(authentication.receive(memory, 3, 3)).toBe(0);
  expect(authentication.receive(memory, 3, 3 + AUTH.length)).toBe(AUTH.length);
  expect(authentication.takeReply()).toBe(`OK ${GUID}\r\n`);
  expect(authentication.takeReply()).toBe("");
});

test("nobody is let in if nobody vouches for the peer", () => {
  const authentication = new ServerAuthentication({ ...OPTIONS, peerUserId: null });
  expect(play(authentication, `${AUTH}AUTH EXTERNAL\r\n`).reply).toBe(
    "REJECTED EXTERNAL\r\nREJECTED EXTERNAL\r\n",
  );
});

test("descriptors are not agreed to if they cannot be passed", () => {
  const authentication = new ServerAuthentication({ ...OPTIONS, allowsDescriptors: false });
  expect(play(authentication, `${AUTH}NEGOTIATE_UNIX_FD\r\nBEGIN\r\n`).reply).toBe(
    `OK ${GUID}\r\nERROR "Unix FD passing not supported, not authenticated or otherwise not possible"\r\n`,
  );
  expect(authentication).toMatchObject({ isDone: true, descriptorsNegotiated: false });
});

test("REJECTED lists the mechanisms, and EXTERNAL works only if it is among them", () => {
  const authentication = new ServerAuthentication({
    ...OPTIONS,
    mechanisms: ["DBUS_COOKIE_SHA1", "ANONYMOUS"],
  });
  expect(play(authentication, AUTH).reply).toBe("REJECTED DBUS_COOKIE_SHA1 ANONYMOUS\r\n");
});

test.each([
  ["AUTH\r\n", "NUL"],
  ["\0BEGIN\r\n", "BEGIN"],
  [`\0${"A".repeat(101)}`, "100 bytes"],
  [`\0${"A".repeat(99)}\r\n`, "100 bytes"],
  [`\0${"FOO\r\n".repeat(5)}`, "more than it reads"],
  [
    "\0AUTH\r\nAUTH FOO\r\nAUTH EXTERNAL 30\r\n",
    '3 times, at last because user 1000 wants to be "0"',
  ],
])("%j fails", (text, reason) => {
  const authentication = new ServerAuthentication({
    ...OPTIONS,
    maxLineBytes: 100,
    maxRejections: 3,
  });
  expect(play(authentication, text).consumed).toBe(-1);
  expect(authentication.state).toBe("failed");
  expect(authentication.failure).toContain(reason);
  expect(play(authentication, `${AUTH}BEGIN\r\n`)).toEqual({ consumed: -1, reply: "" });
});

test("a line may be as long as the limit, its end included", () => {
  const authentication = new ServerAuthentication({ ...OPTIONS, maxLineBytes: 100 });
  expect(play(authentication, `\0${"A".repeat(98)}\r\n`)).toEqual({
    consumed: 101,
    reply: 'ERROR "Unknown command"\r\n',
  });
});

test("who starts over is nobody until the next OK", () => {
  const authentication = new ServerAuthentication(OPTIONS);
  play(authentication, `${AUTH}NEGOTIATE_UNIX_FD\r\n`);
  expect(authentication.userId).toBe(1000);
  expect(play(authentication, "CANCEL\r\n").reply).toBe("REJECTED EXTERNAL\r\n");
  expect(authentication.userId).toBeNull();
  expect(play(authentication, "BEGIN\r\n").consumed).toBe(-1);
});

/** Feeds the input in pieces that end at `cuts`, taking replies at the end only. */
function inPieces(input: Uint8Array, cuts: readonly number[]): object {
  const authentication = new ServerAuthentication(OPTIONS);
  const memory = Memory.of(input);
  let at = 0;
  for (const cut of [...cuts, input.length]) {
    if (cut < at || cut > input.length) continue;
    const consumed = authentication.receive(memory, at, cut);
    if (consumed < 0) {
      at = -1;
      break;
    }
    at += consumed;
    if (authentication.isDone) break;
    expect(at).toBe(cut);
  }
  return { end: at, ...authentication.snapshot() };
}

const anyInput = fc.oneof(
  fc.constantFrom(...authenticationScripts(1000).map(({ input }) => input)),
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(
      fc.constantFrom(
        "AUTH",
        "EXTERNAL",
        "31303030",
        "DATA",
        "CANCEL",
        "BEGIN",
        "NEGOTIATE_UNIX_FD",
        "ERROR",
        " ",
        "\r\n",
        "\r",
        "\n",
        "\xe9",
        "\0",
        "FOO",
      ),
      { maxLength: 60 },
    )
    .map((words) => Buffer.from(`\0${words.join("")}`, "latin1")),
);

test("the pieces in which the input arrives make no difference", () => {
  fc.assert(
    fc.property(anyInput, fc.array(fc.nat(300)), (input, cuts) => {
      const whole = inPieces(input, []);
      const byteByByte = Array.from(input.subarray(0, 2000), (_, index) => index + 1);
      expect(inPieces(input, byteByByte)).toEqual(whole);
      expect(
        inPieces(
          input,
          [...cuts].sort((a, b) => a - b),
        ),
      ).toEqual(whole);
    }),
    { numRuns: 300 },
  );
});

test("whatever arrives, nothing is thrown and nothing grows beyond its limit", () => {
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 20 }), (inputs) => {
      const authentication = new ServerAuthentication(OPTIONS);
      for (const input of inputs) {
        const consumed = authentication.receive(Memory.of(input), 0, input.length);
        expect(consumed >= -1 && consumed <= input.length).toBe(true);
        const { partialLine, reply, rejections } = authentication.snapshot();
        expect(partialLine.length).toBeLessThanOrEqual(16384);
        expect(reply.length).toBeLessThanOrEqual(2 * 16384);
        expect(rejections).toBeLessThanOrEqual(6);
        expect(consumed < 0).toBe(authentication.state === "failed");
      }
    }),
    { numRuns: 300 },
  );
});

test("a handshake goes on from its snapshot as if nothing had happened", () => {
  fc.assert(
    fc.property(anyInput, fc.nat(300), (input, cut) => {
      const middle = Math.min(cut, input.length);
      const memory = Memory.of(input);
      const original = new ServerAuthentication(OPTIONS);
      original.receive(memory, 0, middle);
      const record = JSON.parse(JSON.stringify(original.snapshot()));
      const restored = ServerAuthentication.restore(record);
      expect(restored.receive(memory, middle, input.length)).toBe(
        original.receive(memory, middle, input.length),
      );
      expect(restored.snapshot()).toEqual(original.snapshot());
      expect(restored.takeReply()).toBe(original.takeReply());
    }),
    { numRuns: 300 },
  );
});
