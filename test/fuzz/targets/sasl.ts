/** Target: the server's side of the handshake, against a plain reading of the specification's states. */

import type { Mechanism } from "../../../transport/mechanism.ts";
import { ServerAuthentication } from "../../../transport/server-authentication.ts";
import { Memory } from "../../../wire/memory.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { generatorOf, type Random } from "../random.ts";
import { must, type Target } from "../target.ts";
import { handshakeOf } from "./sasl-model.ts";

const GUID = "0123456789abcdef0123456789abcdef";
/** More than any single answer is long. */
const ANSWER_BYTES = 128;

/** User 0, whose handshakes the corpus has. */
export const PEER_USER = 0;

export const SASL_WORDS: readonly string[] = [
  ..."AUTH,AUTH ,EXTERNAL,AUTH EXTERNAL 30,AUTH EXTERNAL,DATA,DATA 30,CANCEL,BEGIN,ERROR".split(
    ",",
  ),
  ..."NEGOTIATE_UNIX_FD,AGREE_UNIX_FD,OK,REJECTED,ANONYMOUS,DBUS_COOKIE_SHA1,30,31,2d30".split(","),
  ..."307830,3030,0d,20, ,\t,\r\n,\r,\n,\0,\xe9,\r\nBEGIN\r\n,\r\nCANCEL\r\n,\r\nDATA\r\n".split(
    ",",
  ),
  "l\x01\0\x01",
];

interface Ending {
  readonly end: number;
  readonly record: ReturnType<ServerAuthentication["snapshot"]>;
  readonly replies: string;
}

export function saslTarget(): Target {
  return {
    maximumBytes: 20_000,
    work: { fixed: 2000, perByte: 400 },
    mutate: (input, other, random) => mutateBytes(input, other, random, SASL_WORDS, 20_000),
    run,
  };
}

function run(input: Uint8Array): void {
  const random = generatorOf(input);
  const options = {
    guid: GUID,
    mechanisms: random.pick<readonly Mechanism[]>([
      ["EXTERNAL"],
      ["EXTERNAL"],
      ["EXTERNAL", "ANONYMOUS"],
      [],
    ]),
    peerUserId: random.pick([PEER_USER, PEER_USER, PEER_USER, 4711, null]),
    allowsDescriptors: random.below(3) > 0,
    maxLineBytes: random.pick([16384, 16384, 64]),
    maxRejections: random.pick([6, 6, 2]),
  };
  const whole = play(new ServerAuthentication(options), input, [], random);
  const pieces = play(
    new ServerAuthentication(options),
    input,
    cutsOf(input.length, random),
    random,
  );
  must(
    JSON.stringify(whole) === JSON.stringify(pieces),
    `in one piece it ends as ${JSON.stringify(whole)}, in several as ${JSON.stringify(pieces)}`,
  );
  const { state, userId, descriptorsNegotiated } = whole.record;
  const expected = handshakeOf(input, options);
  const answers = kindsOf(whole.replies);
  if (whole.record.failure === "the peer asks for more than it reads") {
    must(
      whole.replies.length > options.maxLineBytes,
      `it gave up at ${whole.replies.length} bytes`,
    );
    must(expected.answers.join(" ").startsWith(answers.join(" ")), `it answered ${answers}`);
    return;
  }
  const got = { state, userId, descriptorsNegotiated, end: whole.end, answers };
  must(
    JSON.stringify(got) === JSON.stringify(expected),
    `expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`,
  );
}

/** Feeds `input` in pieces that end at `cuts`, each from another memory and some after a restart. */
function play(
  first: ServerAuthentication,
  input: Uint8Array,
  cuts: readonly number[],
  random: Random,
): Ending {
  let authentication = first;
  let at = 0;
  for (const cut of [...cuts, input.length]) {
    const before = random.below(9);
    const piece = Buffer.concat([
      Buffer.alloc(before, "\r\n"),
      input.subarray(at, cut),
      Buffer.alloc(3, "\r\n"),
    ]);
    const memory = Memory.of(piece);
    const consumed = authentication.receive(memory, before, before + cut - at);
    must(Buffer.from(memory.bytes).indexOf(piece) === 0, "it changed what it read");
    must(consumed <= cut - at, `it consumed ${consumed} of ${cut - at} bytes`);
    const record = authentication.snapshot();
    must(record.partialLine.length <= record.maxLineBytes, "the line it keeps is too long");
    must(record.reply.length <= record.maxLineBytes + ANSWER_BYTES, "its answers are too long");
    must(!authentication.isDone || record.userId !== null, "it let in somebody unknown");
    must(consumed < 0 === (record.failure !== ""), `it returned ${consumed}: ${record.failure}`);
    if (consumed < 0) {
      must(authentication.receive(memory, 0, piece.length) === -1, "it went on after it failed");
      return { end: -1, record: { ...record, reply: "" }, replies: authentication.takeReply() };
    }
    at += consumed;
    if (authentication.isDone) break;
    must(at === cut, `it left ${cut - at} bytes before BEGIN`);
    if (cuts.length > 0 && random.below(2) === 0) {
      authentication = ServerAuthentication.restore(JSON.parse(JSON.stringify(record)));
    }
  }
  const record = authentication.snapshot();
  return { end: at, record: { ...record, reply: "" }, replies: authentication.takeReply() };
}

/** Up to five places to cut at, in order. */
export function cutsOf(length: number, random: Random): number[] {
  return Array.from({ length: 1 + random.below(5) }, () => random.below(length + 1)).sort(
    (a, b) => a - b,
  );
}

/** The first word of each answer. */
function kindsOf(replies: string): string[] {
  must(replies === "" || replies.endsWith("\r\n"), `an answer has no end: ${replies}`);
  return replies
    .split("\r\n")
    .slice(0, -1)
    .map((line) => line.split(" ")[0] ?? "");
}
