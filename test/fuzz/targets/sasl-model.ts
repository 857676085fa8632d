/** How a handshake has to end, read plainly from the specification and what dbus-daemon makes of it. */

/** The user who has the cookie. */
export const COOKIE_USER = 0;

/** What proves that one knows the cookie, whatever the server's challenge is: so that a fuzzer can know it. */
export function proofOf(challenge: string): string {
  return challenge + challenge;
}

export interface HandshakeTerms {
  readonly mechanisms: readonly string[];
  readonly peerUserId: number | null;
  /** Is there a cookie to challenge with? */
  readonly hasCookie: boolean;
  readonly allowsDescriptors: boolean;
  readonly maxLineBytes: number;
  readonly maxRejections: number;
}

export interface Handshake {
  state: "credentials" | "auth" | "data" | "proof" | "begin" | "done" | "failed";
  mechanism: string | null;
  userId: number | null;
  descriptorsNegotiated: boolean;
  /** Bytes that belong to the handshake; -1 if it failed. */
  end: number;
  /** The first word of each answer. */
  readonly answers: string[];
}

/** What a peer without an end of questions asks is answered without end: that limit is not in here. */
export function handshakeOf(input: Uint8Array, terms: HandshakeTerms): Handshake {
  const text = Buffer.from(input).toString("latin1");
  const handshake: Handshake = {
    state: "auth",
    mechanism: null,
    userId: null,
    descriptorsNegotiated: false,
    end: -1,
    answers: [],
  };
  if (text === "") return { ...handshake, state: "credentials", end: 0 };
  if (text[0] !== "\0") return { ...handshake, state: "failed" };
  let at = 1;
  while (!isOver(handshake)) {
    const lineEnd = text.indexOf("\r\n", at);
    const length = (lineEnd < 0 ? text.length : lineEnd + 2) - at;
    if (length > terms.maxLineBytes) handshake.state = "failed";
    if (lineEnd < 0) break;
    if (length <= terms.maxLineBytes) obey(handshake, text.slice(at, lineEnd), terms);
    at = lineEnd + 2;
  }
  const { state } = handshake;
  handshake.end = state === "failed" ? -1 : state === "done" ? at : text.length;
  return handshake;
}

function isOver({ state }: Handshake): boolean {
  return state === "done" || state === "failed";
}

/** What the state machine does with one line. */
function obey(handshake: Handshake, line: string, terms: HandshakeTerms): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the NUL is what is asked about
  const isPlain = /^[\x01-\x7f]*$/.test(line);
  const [, command = "", argument = ""] = /^([^ \t]*)[ \t]*(.*)$/s.exec(line) ?? [];
  const { state, answers } = handshake;
  const say = (word: string): void => {
    answers.push(word);
  };
  if (!isPlain) say("ERROR");
  else if (command === "BEGIN") handshake.state = state === "begin" ? "done" : "failed";
  else if (command === "ERROR" || (command === "CANCEL" && state !== "auth")) {
    reject(handshake, terms);
  } else if (command === "NEGOTIATE_UNIX_FD" && state === "begin" && terms.allowsDescriptors) {
    handshake.descriptorsNegotiated = true;
    say("AGREE_UNIX_FD");
  } else if (command === "AUTH" && state === "auth") {
    const [, mechanism = "", response = ""] = /^([^ \t]*)[ \t]*(.*)$/s.exec(argument) ?? [];
    if (!terms.mechanisms.includes(mechanism)) reject(handshake, terms);
    else if (mechanism === "EXTERNAL") identify(handshake, response, terms);
    else if (mechanism === "ANONYMOUS") beNobody(handshake, response, terms);
    else challenge(handshake, response, terms);
  } else if (command === "DATA" && state === "data") identify(handshake, argument, terms);
  else if (command === "DATA" && state === "proof") prove(handshake, argument, terms);
  else say("ERROR");
}

/** What a client says about itself has to be UTF-8, which is what re-encodes to itself. */
function beNobody(handshake: Handshake, trace: string, terms: HandshakeTerms): void {
  const bytes = Buffer.from(textOfHex(trace), "latin1");
  if (!HEX.test(trace)) handshake.answers.push("ERROR");
  else if (bytes.includes(0) || !Buffer.from(bytes.toString()).equals(bytes)) {
    reject(handshake, terms);
  } else accept(handshake, "ANONYMOUS", null);
}

function challenge(handshake: Handshake, user: string, terms: HandshakeTerms): void {
  if (!HEX.test(user)) handshake.answers.push("ERROR");
  else if (!terms.hasCookie || !names(textOfHex(user), COOKIE_USER)) reject(handshake, terms);
  else {
    handshake.answers.push("DATA");
    handshake.state = "proof";
  }
}

function prove(handshake: Handshake, answer: string, terms: HandshakeTerms): void {
  const [client = "", proof = "", ...others] = textOfHex(answer).split(/[ \t]+/);
  if (!HEX.test(answer)) handshake.answers.push("ERROR");
  else if (client !== "" && others.length === 0 && proof === proofOf(client)) {
    accept(handshake, "DBUS_COOKIE_SHA1", COOKIE_USER);
  } else reject(handshake, terms);
}

function accept(handshake: Handshake, mechanism: string, userId: number | null): void {
  handshake.answers.push("OK");
  handshake.mechanism = mechanism;
  handshake.userId = userId;
  handshake.state = "begin";
}

const HEX = /^[0-9a-fA-F]*$/;

/** `response` names who the peer wants to be, or nobody. */
function identify(handshake: Handshake, response: string, terms: HandshakeTerms): void {
  const { peerUserId } = terms;
  const { answers, state } = handshake;
  if (!HEX.test(response)) answers.push("ERROR");
  else if (peerUserId === null) reject(handshake, terms);
  else if (response === "" && state === "auth") {
    answers.push("DATA");
    handshake.state = "data";
  } else if (response === "" || names(textOfHex(response), peerUserId)) {
    accept(handshake, "EXTERNAL", peerUserId);
  } else reject(handshake, terms);
}

function reject(handshake: Handshake, terms: HandshakeTerms): void {
  handshake.answers.push("REJECTED");
  handshake.mechanism = null;
  handshake.userId = null;
  const rejections = handshake.answers.filter((word) => word === "REJECTED").length;
  handshake.state = rejections >= terms.maxRejections ? "failed" : "auth";
}

/** dbus-daemon takes half a byte for a whole one. */
function textOfHex(hex: string): string {
  const pairs = hex.match(/..?/g) ?? [];
  return pairs
    .map((pair) => String.fromCharCode(Number.parseInt(pair.padEnd(2, "0"), 16)))
    .join("");
}

/** Does strtoul(3) read `userId` from `text`, to its end? In any of its bases, and modulo 2^64. */
function names(text: string, userId: number): boolean {
  const spelled = (value: bigint): string =>
    `(?:${value}|0x0*${value.toString(16)}|0+${value === 0n ? "" : value.toString(8)})`;
  const negative = userId === 0 ? 0n : 2n ** 64n - BigInt(userId);
  const pattern = `^[ \t\n\v\f\r]*(?:\\+?${spelled(BigInt(userId))}|-${spelled(negative)})$`;
  return new RegExp(pattern, "i").test(text);
}
