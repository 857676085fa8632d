/** A message as a JSON object, with the keys of `busctl --json=short monitor` and a few of our own. */

import { typeName } from "../../matchrules/canonical.ts";
import { PROTOCOL_VERSION } from "../../wire/protocol.ts";
import { parseSignature, type Type } from "../../wire/signature.ts";
import { Variant } from "../../wire/variant.ts";
import type { JsonMode } from "../json-mode.ts";
import { formatJson } from "../print/json.ts";
import type { KnownNames } from "./known-names.ts";
import type { Observation } from "./observer.ts";

/** One object and a line feed. Keys that do not apply are left out. */
export function jsonText(
  { message, bytes, timeMicroseconds, latencyMicroseconds }: Observation,
  names: KnownNames,
  mode: Exclude<JsonMode, "off">,
): string {
  const { type, flags, serial, replySerial, sender, destination, signature } = message;
  const types = parseSignature(signature);
  const object = {
    type: typeName(type),
    endian: String.fromCharCode(bytes[0] ?? 0),
    flags,
    version: PROTOCOL_VERSION,
    cookie: serial,
    reply_cookie: replySerial ?? undefined,
    "timestamp-realtime": timeMicroseconds,
    sender: sender ?? undefined,
    destination: destination ?? undefined,
    path: message.path ?? undefined,
    interface: message.interface ?? undefined,
    member: message.member ?? undefined,
    error_name: message.errorName ?? undefined,
    payload: { type: signature, data: types.map((each, at) => jsonValue(each, message.body[at])) },
    sender_names: namesOf(sender, names),
    destination_names: namesOf(destination, names),
    latency_us: latencyMicroseconds ?? undefined,
    unix_fds: message.unixFds === 0 ? undefined : message.unixFds,
  };
  return formatJson(object, mode).replaceAll(CONTROL_CHARACTERS, escapeOf);
}

function namesOf(end: string | null, names: KnownNames): readonly string[] | undefined {
  const known = end === null ? [] : names.namesOf(end);
  return known.length === 0 ? undefined : known;
}

/** As busctl has them: structs are arrays, dictionaries objects, variants `{"type", "data"}`. */
function jsonValue(type: Type, value: unknown): unknown {
  if (value instanceof Variant) {
    const inner = parseSignature(value.signature).map((each) => jsonValue(each, value.value));
    return { type: value.signature, data: inner[0] };
  }
  if (value instanceof Map) {
    const valueType = type.children[0]?.children[1];
    if (valueType === undefined) return {};
    const entries = [...value].map(([key, each]) => [String(key), jsonValue(valueType, each)]);
    return Object.fromEntries(entries);
  }
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) {
    const { children } = type;
    return value.map((each, index) => {
      const child = type.code === "a" ? children[0] : children[index];
      return child === undefined ? null : jsonValue(child, each);
    });
  }
  return value;
}

/** JSON allows them in strings, and terminals obey them. */
const CONTROL_CHARACTERS = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

function escapeOf(character: string): string {
  return Array.from(
    { length: character.length },
    (_each, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}
