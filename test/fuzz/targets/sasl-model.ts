/** How a handshake has to end, read plainly from the specification and what dbus-daemon makes of it. */

export interface HandshakeTerms {
  readonly mechanisms: readonly string[];
  readonly peerUserId: number | null;
  readonly allowsDescriptors: boolean;
  readonly maxLineBytes: number;
  readonly maxRejections: number;
}

export interface Handshake {
  state: "credentials" | "auth" | "data" | "begin" | "done" | "failed";
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
    if (mechanism === "EXTERNAL" && terms.mechanisms.includes("EXTERNAL")) {
      identify(handshake, response, terms);
    } else reject(handshake, terms);
  } else if (command === "DATA" && state === "data") identify(handshake, argument, terms);
  else say("ERROR");
}

/** `response` names who the peer wants to be, or nobody. */
function identify(handshake: Handshake, response: string, terms: HandshakeTerms): void {
  const { peerUserId } = terms;
  const { answers, state } = handshake;
  if (!/^[0-9a-fA-F]*$/.test(response)) answers.push("ERROR");
  else if (peerUserId === null) reject(handshake, terms);
  else if (response === "" && state === "auth") {
    answers.push("DATA");
    handshake.state = "data";
  } else if (response === "" || names(textOfHex(response), peerUserId)) {
    answers.push("OK");
    handshake.userId = peerUserId;
    handshake.state = "begin";
  } else reject(handshake, terms);
}

function reject(handshake: Handshake, terms: HandshakeTerms): void {
  handshake.answers.push("REJECTED");
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
