/** A message in words of the command line or JSON → its bytes, and what the bus knew when it passed. */

import type { Circumstances } from "../matchrules/explainer.ts";
import { marshal, ValueError } from "../wire/marshal.ts";
import { Message, type MessageHeader } from "../wire/message.ts";
import { encodeMessage } from "../wire/message-codec.ts";
import {
  isBusName,
  isErrorName,
  isInterfaceName,
  isMemberName,
  isUniqueName,
  isWellKnownName,
} from "../wire/names.ts";
import { isObjectPath } from "../wire/object-path.ts";
import { DRIVER_NAME, MessageType } from "../wire/protocol.ts";
import { isSignature, parseSignature, type Type } from "../wire/signature.ts";

/** All of it as given, nothing checked. */
export interface MessageDescription {
  readonly type?: string | undefined;
  readonly sender?: string | undefined;
  readonly owns?: readonly string[] | undefined;
  readonly path?: string | undefined;
  readonly interface?: string | undefined;
  readonly member?: string | undefined;
  readonly errorName?: string | undefined;
  readonly destination?: string | undefined;
  readonly destinationOwns?: readonly string[] | undefined;
  readonly signature?: string | undefined;
  /** By index; those that are missing have an empty value. */
  readonly args?: ReadonlyMap<number, unknown> | undefined;
}

export interface DescribedBytes {
  readonly bytes: Uint8Array;
  readonly circumstances: Circumstances;
}

/** What of a description is wrong, what was expected, and an example that fits. */
export class DescriptionError extends Error {}

/** How the one who described the message calls a part of it, such as `--error-name`. */
export type Naming = (part: keyof MessageDescription) => string;

interface Grammar {
  readonly isValid: (text: string) => boolean;
  readonly expected: string;
  readonly example: string;
}

const BUS_NAME: Grammar = {
  isValid: isBusName,
  expected: "a unique or well-known name",
  example: "org.example.Player",
};
const GRAMMARS = {
  sender: {
    isValid: (text) => isUniqueName(text) || text === DRIVER_NAME,
    expected: `the sender's unique name, or ${DRIVER_NAME} for the bus; well-known names are what it owns`,
    example: ":1.5",
  },
  owns: { isValid: isWellKnownName, expected: "a well-known name", example: "org.example.Player" },
  path: { isValid: isObjectPath, expected: "an object path", example: "/org/example/Player" },
  interface: {
    isValid: isInterfaceName,
    expected: "an interface name",
    example: "org.example.Player",
  },
  member: { isValid: isMemberName, expected: "the name of a method or signal", example: "Changed" },
  errorName: { isValid: isErrorName, expected: "an error name", example: "org.example.Error.Busy" },
  destination: BUS_NAME,
  destinationOwns: BUS_NAME,
  signature: { isValid: isSignature, expected: "a D-Bus signature", example: "sa{sv}" },
} as const satisfies Readonly<Record<string, Grammar>>;
type Checked = keyof typeof GRAMMARS;

const TYPES: ReadonlyMap<string, { type: MessageType; required: readonly Checked[] }> = new Map([
  ["signal", { type: MessageType.Signal, required: ["path", "interface", "member"] }],
  ["method_call", { type: MessageType.MethodCall, required: ["path", "member"] }],
  ["method_return", { type: MessageType.MethodReturn, required: [] }],
  ["error", { type: MessageType.Error, required: ["errorName"] }],
]);

export const MESSAGE_TYPE_NAMES: readonly string[] = [...TYPES.keys()];

/** The message that is described; a signal unless it says otherwise. Throws a `DescriptionError`. */
export function describedBytes(description: MessageDescription, naming: Naming): DescribedBytes {
  const kind = TYPES.get(description.type ?? "signal");
  if (kind === undefined) {
    const types = MESSAGE_TYPE_NAMES.join(", ");
    throw new DescriptionError(`${naming("type")} '${description.type}' is none of ${types}`);
  }
  for (const part of Object.keys(GRAMMARS) as Checked[]) check(part, description, naming); // its keys
  for (const part of kind.required) {
    if (description[part] !== undefined) continue;
    const { example } = GRAMMARS[part];
    throw new DescriptionError(
      `a message of type ${description.type ?? "signal"} needs ${naming(part)}, for example ${example}`,
    );
  }
  const isReply = kind.type === MessageType.MethodReturn || kind.type === MessageType.Error;
  const { signature, body } = argumentsOf(description, naming);
  const header: Partial<MessageHeader> & { type: number } = {
    type: kind.type,
    path: description.path ?? null,
    interface: description.interface ?? null,
    member: description.member ?? null,
    errorName: description.errorName ?? null,
    replySerial: isReply ? 1 : null,
    destination: description.destination ?? null,
    sender: description.sender ?? null,
    signature,
  };
  return {
    bytes: encodeMessage(new Message(header, body), 1),
    circumstances: {
      senderNames: description.owns ?? [],
      destinationNames: description.destinationOwns ?? [],
    },
  };
}

function check(part: Checked, description: MessageDescription, naming: Naming): void {
  const given = description[part];
  if (given === undefined) return;
  const grammar: Grammar = GRAMMARS[part];
  for (const text of typeof given === "string" ? [given] : given) {
    if (grammar.isValid(text)) continue;
    throw new DescriptionError(
      `${naming(part)} '${text}' does not fit: it should be ${grammar.expected}, for example ${grammar.example}`,
    );
  }
}

function argumentsOf(
  { signature: given, args = new Map() }: MessageDescription,
  naming: Naming,
): { signature: string; body: unknown[] } {
  const count = Math.max(-1, ...args.keys()) + 1;
  const types = parseSignature(given ?? "s".repeat(count));
  if (count > types.length) {
    throw new DescriptionError(
      `${naming("args")} ${count - 1} is one too many for the signature '${given}', which has ${types.length} arguments, counted from 0`,
    );
  }
  const body = types.map((type, index) => {
    const value = args.has(index) ? args.get(index) : emptyValue(type);
    try {
      marshal(type.signature, [value]);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new DescriptionError(
        `${naming("args")} ${index} does not fit its type ${type.signature}: ${error.path}${error.path === "" ? "" : " "}${error.reason}; for example ${JSON.stringify(exampleValue(type))}`,
      );
    }
    return value;
  });
  return { signature: types.map((type) => type.signature).join(""), body };
}

function emptyValue(type: Type): unknown {
  switch (type.code) {
    case "s":
    case "g":
      return "";
    case "o":
      return "/";
    case "b":
      return false;
    case "v":
      return { signature: "s", value: "" };
    case "a":
      return type.children[0]?.code === "{" ? {} : [];
    case "(":
    case "{":
      return type.children.map(emptyValue);
    default:
      return 0;
  }
}

/** As JSON has it: dictionaries are objects, structs are arrays, and variants say their signature. */
function exampleValue(type: Type): unknown {
  const [first, second] = type.children;
  switch (type.code) {
    case "s":
      return "text";
    case "g":
      return "su";
    case "o":
      return "/org/example/Player";
    case "b":
      return true;
    case "d":
      return 1.5;
    case "v":
      return { signature: "s", value: "text" };
    case "a":
      return first?.code === "{"
        ? exampleValue(first)
        : [first, first].map((one) => one && exampleValue(one));
    case "(":
      return type.children.map(exampleValue);
    case "{":
      return first && second ? { [String(exampleValue(first))]: exampleValue(second) } : {};
    default:
      return 7;
  }
}
