/** Target: the client's side of the handshake, which has said all it has to say. */

import { ClientAuthentication } from "../../../transport/client-authentication.ts";
import { Memory } from "../../../wire/memory.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { generatorOf } from "../random.ts";
import { must, type Target } from "../target.ts";
import { cutsOf, SASL_WORDS } from "./sasl.ts";

const GUID = "0123456789abcdef0123456789ABCDEF";
const LINE_BYTES = 16384;
const WORDS = [
  ...SASL_WORDS,
  `OK ${GUID}\r\n`,
  "AGREE_UNIX_FD\r\n",
  "DATA\r\n",
  "REJECTED EXTERNAL\r\n",
];

interface Terms {
  readonly userId: number | null;
  readonly wantsDescriptors: boolean;
  readonly expectedGuid: string | null;
}

export function saslClientTarget(): Target {
  return {
    maximumBytes: 20_000,
    work: { fixed: 2000, perByte: 400 },
    mutate: (input, other, random) => mutateBytes(input, other, random, WORDS, 20_000),
    run,
  };
}

function run(input: Uint8Array): void {
  const random = generatorOf(input);
  const terms: Terms = {
    userId: random.pick([0, null]),
    wantsDescriptors: random.below(2) === 0,
    expectedGuid: random.pick([null, null, GUID.toLowerCase(), "f".repeat(32)]),
  };
  const whole = play(terms, input, []);
  const pieces = play(terms, input, cutsOf(input.length, random));
  const expected = expectedOf(terms, input);
  for (const [how, got] of [
    ["one piece", whole],
    ["pieces", pieces],
  ] as const) {
    must(
      JSON.stringify(got) === JSON.stringify(expected),
      `${JSON.stringify(terms)} in ${how}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`,
    );
  }
}

interface Ending {
  readonly end: number;
  readonly isDone: boolean;
  readonly guid: string;
  readonly descriptorsNegotiated: boolean;
}

function play(terms: Terms, input: Uint8Array, cuts: readonly number[]): Ending {
  const client = new ClientAuthentication(terms);
  client.start();
  const memory = Memory.of(input);
  let at = 0;
  for (const cut of [...cuts, input.length]) {
    const consumed = client.receive(memory, at, cut);
    must(consumed < 0 === (client.failure !== ""), `it returned ${consumed}: ${client.failure}`);
    must(consumed <= cut - at, `it consumed ${consumed} of ${cut - at} bytes`);
    if (consumed < 0) return { end: -1, isDone: false, guid: "", descriptorsNegotiated: false };
    at += consumed;
    if (client.isDone) break;
    must(at === cut, `it left ${cut - at} bytes before the last answer`);
  }
  const { isDone, guid, descriptorsNegotiated } = client;
  return { end: at, isDone, guid: isDone ? guid : "", descriptorsNegotiated };
}

/** The lines that a server has to say, one after the other. */
function expectedOf({ userId, wantsDescriptors, expectedGuid }: Terms, input: Uint8Array): Ending {
  const failed = { end: -1, isDone: false, guid: "", descriptorsNegotiated: false };
  const text = Buffer.from(input).toString("latin1");
  const steps = [
    ...(userId === null ? ["DATA"] : []),
    "OK",
    ...(wantsDescriptors ? ["AGREEMENT"] : []),
  ];
  let at = 0;
  let guid = "";
  let descriptorsNegotiated = false;
  for (const step of steps) {
    const end = text.indexOf("\r\n", at);
    const length = (end < 0 ? text.length : end + 2) - at;
    if (length > LINE_BYTES) return failed;
    if (end < 0) return { ...failed, end: text.length };
    const line = text.slice(at, end);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL and what is not ASCII is refused
    if (!/^[\x01-\x7f]*$/.test(line)) return failed;
    const [, name = "", argument = ""] = /^([^ \t]*)[ \t]*(.*)$/s.exec(line) ?? [];
    if (step === "DATA" && name !== "DATA") return failed;
    if (step === "OK") {
      if (name !== "OK" || !/^[0-9a-f]{32}$/i.test(argument)) return failed;
      guid = argument.toLowerCase();
      if (expectedGuid !== null && guid !== expectedGuid) return failed;
    }
    if (step === "AGREEMENT") {
      if (name !== "AGREE_UNIX_FD" && name !== "ERROR") return failed;
      descriptorsNegotiated = name === "AGREE_UNIX_FD";
    }
    at = end + 2;
  }
  return { end: at, isDone: true, guid, descriptorsNegotiated };
}
