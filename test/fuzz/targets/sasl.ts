/** Target: the server's side of the handshake, against a plain reading of the specification's states. */

import type { Cookie } from "../../../transport/authentication/cookie.ts";
import { userIdOf } from "../../../transport/authentication/external.ts";
import { MECHANISMS, type Mechanism } from "../../../transport/mechanism.ts";
import { ServerAuthentication } from "../../../transport/server-authentication.ts";
import { Memory } from "../../../wire/memory.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { generatorOf, type Random } from "../random.ts";
import { must, type Target } from "../target.ts";
import { COOKIE_USER, handshakeOf, proofOf } from "./sasl-model.ts";

const GUID = "0123456789abcdef0123456789abcdef";
/** More than any single answer is long. */
const ANSWER_BYTES = 256;
/** "a aa": an answer that proves it knows the cookie. */
const PROOF = Buffer.from(`a ${proofOf("a")}`).toString("hex");

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
  ...`AUTH DBUS_COOKIE_SHA1 30,AUTH ANONYMOUS,DATA ${PROOF},${PROOF},6120,61,20`.split(","),
  "l\x01\0\x01",
];

interface Ending {
  readonly end: number;
  readonly record: ReturnType<ServerAuthentication["snapshot"]>;
  readonly replies: string;
  readonly replyBytes: number;
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
      MECHANISMS,
      MECHANISMS,
      ["DBUS_COOKIE_SHA1"],
      [],
    ]),
    peerUserId: random.pick([PEER_USER, PEER_USER, PEER_USER, 4711, null]),
    allowsDescriptors: random.below(3) > 0,
    maxLineBytes: random.pick([16384, 16384, 64]),
    maxRejections: random.pick([6, 6, 2]),
  };
  const hasCookie = random.below(4) > 0;
  const cuts = cutsOf(input.length, random);
  const whole = play(new ServerAuthentication(options), input, [], hasCookie, random);
  const pieces = play(new ServerAuthentication(options), input, cuts, hasCookie, random);
  must(
    JSON.stringify(whole) === JSON.stringify(pieces),
    `in one piece it ends as ${JSON.stringify(whole)}, in several as ${JSON.stringify(pieces)}`,
  );
  const { state, mechanism, userId, descriptorsNegotiated } = whole.record;
  const expected = handshakeOf(input, { ...options, hasCookie });
  const answers = kindsOf(whole.replies);
  if (whole.record.failure === "the peer asks for more than it reads") {
    must(whole.replyBytes > options.maxLineBytes, `it gave up at ${whole.replyBytes} bytes`);
    must(expected.answers.join(" ").startsWith(answers.join(" ")), `it answered ${answers}`);
    return;
  }
  const got = { state, mechanism, userId, descriptorsNegotiated, end: whole.end, answers };
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
  hasCookie: boolean,
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
    const consumed = receive(authentication, memory, before, before + cut - at, hasCookie);
    must(Buffer.from(memory.bytes).indexOf(piece) === 0, "it changed what it read");
    must(consumed <= cut - at, `it consumed ${consumed} of ${cut - at} bytes`);
    const record = authentication.snapshot();
    must(record.partialLine.length <= record.maxLineBytes, "the line it keeps is too long");
    must(record.reply.length <= record.maxLineBytes + ANSWER_BYTES, "its answers are too long");
    const isKnown = record.userId !== null || record.mechanism === "ANONYMOUS";
    must(!authentication.isDone || isKnown, "it let in somebody unknown");
    must(consumed < 0 === (record.failure !== ""), `it returned ${consumed}: ${record.failure}`);
    if (consumed < 0) {
      must(authentication.receive(memory, 0, piece.length) === -1, "it went on after it failed");
      return endingOf(-1, authentication);
    }
    at += consumed;
    if (authentication.isDone) break;
    must(at === cut, `it left ${cut - at} bytes before BEGIN`);
    // Who has been challenged is not let in after a restart, which is as it should be.
    if (cuts.length > 0 && record.state !== "proof" && random.below(2) === 0) {
      authentication = ServerAuthentication.restore(JSON.parse(JSON.stringify(record)));
    }
  }
  return endingOf(at, authentication);
}

/** No two challenges are alike: they are left out of the replies. */
function endingOf(end: number, authentication: ServerAuthentication): Ending {
  const { reply, ...record } = authentication.snapshot();
  return {
    end,
    record: { ...record, reply: "" },
    replies: reply.replace(/^DATA [0-9a-f]+/gm, "DATA challenge"),
    replyBytes: reply.length,
  };
}

/** Feeds one piece, and the cookies that are asked for meanwhile. */
function receive(
  authentication: ServerAuthentication,
  memory: Memory,
  start: number,
  end: number,
  hasCookie: boolean,
): number {
  let at = start;
  for (;;) {
    const consumed = authentication.receive(memory, at, end);
    if (consumed < 0) return consumed;
    at += consumed;
    const request = authentication.cookieRequest;
    if (request === null) return at - start;
    must(authentication.receive(memory, at, end) === 0, "it went on without the cookie");
    const isOwner = userIdOf(request.user ?? "") === COOKIE_USER;
    authentication.proceed(hasCookie && isOwner ? COOKIE : "there is none");
  }
}

const COOKIE: Cookie = { id: 7, userId: COOKIE_USER, proofOf: (_, client) => proofOf(client) };

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
