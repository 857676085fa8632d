/** How `onehop explain` is told of a message: options, or one JSON object. */

import { parseSignature } from "../wire/signature.ts";
import { DescriptionError, type MessageDescription } from "./described-message.ts";

/** What yargs makes of the options that describe a message. */
export interface MessageOptions {
  readonly type: string | undefined;
  readonly sender: string | undefined;
  readonly owns: readonly string[] | undefined;
  readonly path: string | undefined;
  readonly interface: string | undefined;
  readonly member: string | undefined;
  readonly "error-name": string | undefined;
  readonly destination: string | undefined;
  readonly "destination-owns": readonly string[] | undefined;
  readonly signature: string | undefined;
  readonly arg: readonly string[] | undefined;
}

export const MESSAGE_OPTIONS: readonly (keyof MessageOptions)[] = [
  ...(["type", "sender", "owns", "path", "interface", "member", "error-name"] as const),
  ...(["destination", "destination-owns", "signature", "arg"] as const),
];

/** `--error-name` for `errorName`, and `--arg` for the arguments. */
export function optionName(part: keyof MessageDescription): string {
  if (part === "args") return "--arg";
  return `--${part.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function readOptions(given: MessageOptions): MessageDescription {
  return {
    ...given,
    errorName: given["error-name"],
    destinationOwns: given["destination-owns"],
    args: readArguments(given.arg ?? [], given.signature),
  };
}

/** `0=text`: texts are taken as they are, everything else is JSON. */
function readArguments(
  given: readonly string[],
  signature: string | undefined,
): Map<number, unknown> {
  const types = signature === undefined ? null : typesOf(signature);
  const args: Map<number, unknown> = new Map();
  for (const text of given) {
    const [, digits, value = ""] = /^(\d{1,3})=(.*)$/s.exec(text) ?? [];
    if (digits === undefined) {
      throw new DescriptionError(
        `--arg '${text}' does not say which argument it is: for example --arg 0=text`,
      );
    }
    const index = Number(digits);
    if (args.has(index)) throw new DescriptionError(`--arg ${index} is there twice`);
    const code = types === null ? "s" : types[index]?.code;
    args.set(index, code === undefined || "sog".includes(code) ? value : fromJson(value));
  }
  return args;
}

function typesOf(signature: string): ReturnType<typeof parseSignature> {
  try {
    return parseSignature(signature);
  } catch {
    // Said in better words when the whole description is checked.
    return [];
  }
}

/** What is no JSON stays a text, and is refused as a value of the wrong type. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const TEXTS = [
  ...(["type", "sender", "path", "interface", "member", "errorName"] as const),
  ...(["destination", "signature"] as const),
];
const LISTS = ["owns", "destinationOwns"] as const;
const KNOWN: readonly string[] = [...TEXTS, ...LISTS, "body"];
const EXAMPLE = `{"path":"/a","interface":"org.example.I","member":"M","signature":"su","body":["text",7]}`;

/** The same as an object: `{"path": …, "body": […]}`. */
export function readJson(text: string): MessageDescription {
  const given = parseObject(text);
  for (const [key, value] of Object.entries(given)) {
    if (!KNOWN.includes(key)) {
      throw new DescriptionError(
        `--message has an unknown "${key}"; it may have ${KNOWN.join(", ")}`,
      );
    }
    const isList = Array.isArray(value) && (key === "body" || value.every(isText));
    const isExpected = TEXTS.some((name) => name === key) ? isText(value) : isList;
    if (isExpected) continue;
    const expected = TEXTS.some((name) => name === key) ? "a string" : "an array";
    throw new DescriptionError(`"${key}" of --message should be ${expected}, as in ${EXAMPLE}`);
  }
  const { body = [], ...parts } = given;
  // Both were checked above.
  return { ...(parts as MessageDescription), args: new Map((body as unknown[]).entries()) };
}

/** `"errorName" of --message`. */
export function jsonName(part: keyof MessageDescription): string {
  return part === "args" ? `"body" of --message: argument` : `"${part}" of --message`;
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DescriptionError(`--message is not JSON (${reason}); it should be as ${EXAMPLE}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DescriptionError(`--message should be an object, such as ${EXAMPLE}`);
  }
  return value as Record<string, unknown>; // it is an object
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
