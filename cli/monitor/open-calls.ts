/** Calls that were seen and wait for their replies. */

import type { MessageHeader } from "../../wire/message.ts";
import { DRIVER_NAME, Limit, MessageFlag, MessageType } from "../../wire/protocol.ts";
import type { WatchedMessage } from "./watched-message.ts";

/** More is not remembered: the oldest call of the caller that was quiet for longest is forgotten. */
const MAXIMUM_WEIGHT = 65_536;
/** A path of this length weighs as much as a call without one. */
const PATH_WEIGHT_CHARACTERS = 1024;

/** A call, without what can be long in it, and what was made of it when it was seen. */
export interface OpenCall {
  readonly message: MessageHeader;
  readonly timeMicroseconds: number;
  /** The unique name of whom it went to, if that was known; nobody else but the bus can answer it. */
  readonly callee: string | null;
  /** Its first argument, if it asks the bus something about what may be a name. */
  readonly name: string | null;
  /** For which types of message the filter wants it and its replies; see `Filter.selection`. */
  readonly selection: number;
}

/** What is kept of a call: not its bytes. */
export function openCall(
  { message, timeMicroseconds }: WatchedMessage,
  callee: string | null,
  selection: number,
): OpenCall {
  const { type, flags, serial, path, member, errorName, replySerial } = message;
  const { destination, sender, signature, unixFds } = message;
  const isToBus = destination === DRIVER_NAME && signature.startsWith("s");
  const name = isToBus ? String(message.body[0]) : "";
  return {
    message: {
      ...{ type, flags, serial, path, interface: message.interface, member, errorName },
      ...{ replySerial, destination, sender, signature, unixFds },
    },
    timeMicroseconds,
    callee,
    name: name !== "" && name.length <= Limit.nameBytes ? name : null,
    selection,
  };
}

export class OpenCalls {
  readonly #byCaller: Map<string, Map<number, OpenCall>> = new Map();
  readonly #maximum: number;
  #weight = 0;
  #forgottenCount = 0;

  constructor(maximumWeight: number = MAXIMUM_WEIGHT) {
    this.#maximum = maximumWeight;
  }

  /** Calls that were forgotten because there were too many. */
  get forgottenCount(): number {
    return this.#forgottenCount;
  }

  /** Remembers a call; one that expects no reply may get one nevertheless. */
  add(call: OpenCall): void {
    const { sender, serial } = call.message;
    if (sender === null) return;
    this.#remove(sender, serial);
    const calls = this.#byCaller.get(sender) ?? new Map<number, OpenCall>();
    // Behind all others: the first of them is who was quiet for longest.
    this.#byCaller.delete(sender);
    this.#byCaller.set(sender, calls);
    calls.set(serial, call);
    this.#weight += weightOf(call);
    while (this.#weight > this.#maximum) this.#forgetOldest();
  }

  /** The call that this message answers, which is not open any more; null if it answers none that is known. */
  take({ message }: WatchedMessage): OpenCall | null {
    const { type, replySerial, destination, sender } = message;
    const isReply = type === MessageType.MethodReturn || type === MessageType.Error;
    if (!isReply || replySerial === null || destination === null) return null;
    const callee = this.#byCaller.get(destination)?.get(replySerial)?.callee ?? null;
    const isAnswer = callee === null || sender === callee || sender === DRIVER_NAME;
    return isAnswer ? this.#remove(destination, replySerial) : null;
  }

  /** A connection that is no more gets no replies: its calls that waited for one. */
  seeSignal({ message }: WatchedMessage): readonly OpenCall[] {
    if (message.sender !== DRIVER_NAME || message.member !== "NameOwnerChanged") return [];
    if (message.signature !== "sss" || message.body[2] !== "") return [];
    const name = String(message.body[0]);
    const calls = this.#byCaller.get(name);
    if (calls === undefined) return [];
    this.#byCaller.delete(name);
    for (const call of calls.values()) this.#weight -= weightOf(call);
    return [...calls.values()].filter(expectsReply);
  }

  /** Those that wait for a reply, by caller. */
  waiting(): OpenCall[] {
    return [...this.#byCaller.values()].flatMap((calls) =>
      [...calls.values()].filter(expectsReply),
    );
  }

  #remove(caller: string, serial: number): OpenCall | null {
    const calls = this.#byCaller.get(caller);
    const call = calls?.get(serial);
    if (calls === undefined || call === undefined) return null;
    calls.delete(serial);
    if (calls.size === 0) this.#byCaller.delete(caller);
    this.#weight -= weightOf(call);
    return call;
  }

  #forgetOldest(): void {
    for (const [caller, calls] of this.#byCaller) {
      for (const serial of calls.keys()) {
        this.#remove(caller, serial);
        this.#forgottenCount++;
        return;
      }
    }
  }
}

function weightOf({ message }: OpenCall): number {
  return 1 + Math.floor((message.path?.length ?? 0) / PATH_WEIGHT_CHARACTERS);
}

function expectsReply({ message }: OpenCall): boolean {
  return (message.flags & MessageFlag.NoReplyExpected) === 0;
}
