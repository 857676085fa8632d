/** A peer of the fuzzed bus: honest, and then it knows what it has to get, or a rogue. */

import type { Bus } from "../../../bus/bus.ts";
import { canonicalText } from "../../../matchrules/canonical.ts";
import type { MatchRule } from "../../../matchrules/rule.ts";
import type { MemoryEnd } from "../../../transport/memory-transport.ts";
import { MessageFramer } from "../../../wire/framing.ts";
import { errorReply, type Message, methodCall, methodReturn } from "../../../wire/message.ts";
import { decodeMessage, encodeMessage } from "../../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageFlag, MessageType } from "../../../wire/protocol.ts";
import { must } from "../target.ts";

const { MethodCall, MethodReturn, Error: ErrorMessage, Signal } = MessageType;
const IDENTITY = Buffer.from(String(process.geteuid?.())).toString("hex");

/** What the peers of one program tell each other; the bus has no part in it. */
export interface Witness {
  /** Everything that honest peers have sent: `NAME SERIAL TYPE MEMBER`. */
  readonly sent: Set<string>;
  readonly honestNames: Set<string>;
}

export class BusPeer {
  uniqueName = "";
  isRogue = false;
  isMuted = false;
  isGone = false;
  /** The most bytes that are written at once. */
  chunkBytes: number = Number.POSITIVE_INFINITY;
  readonly rules: MatchRule[] = [];
  /** Rules that it has asked for or given up, and has not been answered. */
  unansweredRules = 0;
  /** Calls that have no reply yet, with what to do when they have. */
  readonly waiting: Map<number, (reply: Message) => void> = new Map();
  /** Signals that have to come, and those that may: `SENDER NUMBER`. */
  readonly expected: Set<string> = new Set();
  readonly possible: Set<string> = new Set();
  readonly #end: MemoryEnd;
  readonly #witness: Witness;
  readonly #framer: MessageFramer = new MessageFramer();
  /** By sender: the number of the last signal that came. */
  readonly #latest: Map<string, number> = new Map();
  #greeting = "";
  #serial = 0;

  constructor(bus: Bus, witness: Witness) {
    this.#witness = witness;
    this.#end = bus.connect();
    this.#end.onBytes = (bytes) => this.#take(bytes);
    this.#end.onClose = () => {
      must(this.isRogue || this.isGone, `${this.uniqueName} was disconnected`);
      this.isGone = true;
    };
  }

  /** The handshake and Hello. */
  join(): void {
    this.write(Buffer.from(`\0AUTH EXTERNAL ${IDENTITY}\r\nBEGIN\r\n`));
    this.driver("Hello", "", [], (reply) => {
      this.uniqueName = String(reply.body[0]);
      this.#witness.honestNames.add(this.uniqueName);
      // Eavesdroppers overhear Hello, from the name that it has led to.
      this.#witness.sent.add(`${this.uniqueName} ${reply.replySerial} ${MethodCall} Hello`);
    });
  }

  leave(): void {
    this.isGone = true;
    this.#end.close();
  }

  /** Nothing can be said any more of what comes from there. */
  forgetSignalsOf(sender: string): void {
    for (const key of this.expected) if (key.startsWith(`${sender} `)) this.expected.delete(key);
  }

  setReading(isReading: boolean): void {
    this.#end.setReading(isReading);
  }

  write(bytes: Uint8Array): void {
    const step = Math.min(this.chunkBytes, Math.max(1, bytes.length));
    for (let at = 0; at < bytes.length; at += step) {
      this.#end.write(Uint8Array.from(bytes.subarray(at, at + step)));
    }
  }

  send(message: Message): number {
    const serial = ++this.#serial;
    // Hello is sent without a name yet.
    const name = this.uniqueName;
    if (name !== "") this.#witness.sent.add(seal(name, serial, message));
    this.write(encodeMessage(message, serial, serial % 3 !== 0));
    return serial;
  }

  driver(
    member: string,
    signature: string,
    body: readonly unknown[],
    done: (reply: Message) => void,
  ): void {
    const call = { path: DRIVER_PATH, interface: DRIVER_NAME, destination: DRIVER_NAME };
    const serial = this.send(methodCall({ ...call, member, signature, body }));
    this.waiting.set(serial, done);
  }

  addRule(rule: MatchRule, text: string): void {
    this.unansweredRules++;
    this.driver("AddMatch", "s", [text], (reply) => {
      this.unansweredRules--;
      if (reply.type === MethodReturn) this.rules.push(rule);
    });
  }

  removeRule(rule: MatchRule, text: string): void {
    this.unansweredRules++;
    this.driver("RemoveMatch", "s", [text], (reply) => {
      this.unansweredRules--;
      const canonical = canonicalText(rule);
      const at = this.rules.findIndex((one) => canonicalText(one) === canonical);
      must((reply.type === MethodReturn) === at >= 0, `RemoveMatch ${text} is answered wrongly`);
      if (at >= 0) this.rules.splice(at, 1);
    });
  }

  #take(bytes: Uint8Array): void {
    let rest = bytes;
    if (!this.#greeting.includes("\r\n")) {
      // A rogue may get more answers than one, or stay here for ever.
      this.#greeting += Buffer.from(bytes).toString("latin1");
      rest = bytes.subarray(bytes.length);
    }
    if (this.isRogue && !this.#greeting.startsWith("OK")) return;
    for (const whole of this.#framer.push(rest)) this.#receive(decodeMessage(whole));
  }

  #receive(message: Message): void {
    const { sender, type, destination } = message;
    must(sender !== null, "a message has no sender");
    const isForged =
      this.#witness.honestNames.has(sender) &&
      !this.#witness.sent.has(seal(sender, message.serial, message));
    must(!isForged, `${sender} never sent ${message.member ?? "the reply"} ${message.serial}`);
    if (this.isRogue) return;
    const isMine =
      destination === null || destination === this.uniqueName || this.uniqueName === "";
    if (type === MethodCall) this.#answer(message);
    else if (type === Signal) this.#hear(message);
    else if (isMine) this.#settle(message);
  }

  #settle(reply: Message): void {
    const serial = reply.replySerial ?? 0;
    const done = this.waiting.get(serial);
    must(
      done !== undefined,
      `${this.uniqueName} got a reply to ${serial} that it does not wait for`,
    );
    this.waiting.delete(serial);
    done(reply);
  }

  /** Also calls that it only overhears: the bus does not let such an answer pass. */
  #answer(call: Message): void {
    if (this.isMuted || (call.flags & MessageFlag.NoReplyExpected) !== 0) return;
    if (call.sender === null || call.sender === DRIVER_NAME) return;
    const text = `${call.sender} ${call.serial}`;
    this.send(
      call.serial % 2 === 0
        ? methodReturn(call, { signature: "s", body: [text] })
        : errorReply(call, "org.example.Error", text),
    );
  }

  #hear(signal: Message): void {
    const sender = signal.sender ?? "";
    if (!this.#witness.honestNames.has(sender)) return;
    const number = Number(signal.body[1]);
    const key = `${sender} ${number}`;
    const isDue = this.expected.delete(key);
    must(isDue || this.possible.delete(key), `${this.uniqueName} heard ${key} and should not have`);
    must(number > (this.#latest.get(sender) ?? -1), `${key} comes too late`);
    this.#latest.set(sender, number);
  }
}

function seal(name: string, serial: number, { type, member }: Message): string {
  return `${name} ${serial} ${type} ${member ?? (type === ErrorMessage ? "error" : "return")}`;
}
