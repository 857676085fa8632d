/** Messages as short lines, so that an expected sequence reads as one. */

import { type Message, Type, type Value } from "./wire.ts";

/** "signal NameAcquired :1.2", "return 1", "error ServiceUnknown", "call M x". */
export function brief(message: Message): string {
  const words = message.arguments.map(word);
  switch (message.type) {
    case Type.Call:
      return ["call", message.member, ...words].join(" ");
    case Type.Return:
      return ["return", ...words].join(" ");
    case Type.Error:
      return `error ${message.errorName?.replace("org.freedesktop.DBus.Error.", "")}`;
    default:
      return ["signal", message.member, ...words].join(" ");
  }
}

export function briefs(messages: readonly Message[]): string[] {
  return messages.map(brief);
}

function word(value: Value): string {
  return value === "" ? '""' : String(value);
}
