/** The words and options of `onehop policy why` as a message that a policy is asked about. */

import type { PolicyMessage } from "../../bus/index.ts";
import { isErrorName } from "../../wire/names.ts";
import { MessageType } from "../../wire/protocol.ts";
import { checkedInterface, checkedMember, checkedPath } from "../checked-names.ts";
import { misuse } from "../command-problem.ts";

export interface MessageWords {
  readonly path: string | undefined;
  readonly interface: string | undefined;
  readonly member: string | undefined;
  readonly type: string | undefined;
  readonly reply: boolean;
  readonly error: string | undefined;
  readonly unrequested: boolean;
  readonly broadcast: boolean;
  readonly overheard: boolean;
  readonly fds: number;
}

const TYPES: ReadonlyMap<string, MessageType> = new Map([
  ["method_call", MessageType.MethodCall],
  ["method_return", MessageType.MethodReturn],
  ["error", MessageType.Error],
  ["signal", MessageType.Signal],
]);

export const ASKED_TYPES: readonly string[] = [...TYPES.keys()];

/** What no rule mentions: in a rule it would mean anything. */
export const ANYTHING_ELSE = "*";

/** @throws CommandProblem */
export function askedMessage(words: MessageWords, destination: string): PolicyMessage {
  const type = typeOf(words);
  const isReply = type === MessageType.MethodReturn || type === MessageType.Error;
  if (words.unrequested && !isReply) {
    throw misuse("--unrequested is about replies: add --reply, or --error NAME");
  }
  if (words.broadcast && type !== MessageType.Signal) {
    throw misuse("only signals are broadcast: --type signal --broadcast");
  }
  if (words.broadcast && words.overheard) {
    throw misuse("a broadcast is for everybody: nobody overhears it");
  }
  if (!Number.isInteger(words.fds) || words.fds < 0) {
    throw misuse("--fds is a number of descriptors, for example --fds 1");
  }
  // Replies hardly ever have these; calls and signals always have a path and a member.
  const unnamed = isReply ? null : ANYTHING_ELSE;
  const field = (text: string | undefined, checked: (text: string) => string): string | null => {
    if (text === undefined || text === ANYTHING_ELSE) return unnamed;
    return text === "-" ? null : checked(text);
  };
  return {
    type,
    path: field(words.path, checkedPath),
    interface: field(words.interface, checkedInterface),
    member: field(words.member, (text) => checkedMember(text, "a method or signal")),
    errorName: type === MessageType.Error ? (words.error ?? ANYTHING_ELSE) : null,
    unixFds: words.fds,
    destination: words.broadcast ? null : destination,
    isRequestedReply: isReply ? !words.unrequested : null,
    isOverheard: words.overheard,
  };
}

function typeOf({ type, reply, error, broadcast }: MessageWords): MessageType {
  if (error !== undefined && !isErrorName(error)) {
    throw misuse(`--error ${error}: expected such as org.example.Error.Busy`);
  }
  const meant =
    type ??
    (error !== undefined
      ? "error"
      : reply
        ? "method_return"
        : broadcast
          ? "signal"
          : "method_call");
  const found = TYPES.get(meant);
  if (found === undefined) throw misuse(`--type ${type}: expected ${ASKED_TYPES.join(", ")}`);
  if (error !== undefined && found !== MessageType.Error) {
    throw misuse(`--error is about errors, and --type ${type} is something else`);
  }
  if (reply && found !== MessageType.MethodReturn && found !== MessageType.Error) {
    throw misuse(`--reply is about replies, and --type ${type} is something else`);
  }
  return found;
}
