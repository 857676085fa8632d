/** A message in the layout of `busctl monitor`, a line for each value. */

import { typeName } from "../../matchrules/canonical.ts";
import { MessageType, PROTOCOL_VERSION } from "../../wire/protocol.ts";
import { parseSignature, type Type } from "../../wire/signature.ts";
import { Variant } from "../../wire/variant.ts";
import type { Paint } from "../print/colour.ts";
import { basicText, elementsOf, quoted, type TextLimits } from "./argument-text.ts";
import { durationText, memberText } from "./compact-view.ts";
import type { KnownNames } from "./known-names.ts";
import type { Observation } from "./observer.ts";

const VALUE_NAMES: Readonly<Record<string, string>> = {
  y: "BYTE",
  b: "BOOLEAN",
  n: "INT16",
  q: "UINT16",
  i: "INT32",
  u: "UINT32",
  x: "INT64",
  t: "UINT64",
  d: "DOUBLE",
  s: "STRING",
  o: "OBJECT_PATH",
  g: "SIGNATURE",
  h: "UNIX_FD",
};

const STEP = "        ";

export function verboseText(
  observation: Observation,
  names: KnownNames,
  limits: TextLimits,
  paint: Paint,
): string {
  const { message, bytes, timeMicroseconds } = observation;
  const [first] = message.body;
  const type = typeName(message.type);
  const time = new Date(timeMicroseconds / 1000).toISOString().slice(0, -1);
  const microseconds = String(timeMicroseconds % 1000).padStart(3, "0");
  const head = pairs({
    Type: message.type === MessageType.Error ? paint(type, "red") : type,
    Endian: String.fromCharCode(bytes[0] ?? 0),
    Flags: message.flags,
    Version: PROTOCOL_VERSION,
    Cookie: message.serial,
    ReplyCookie: message.replySerial,
    UnixFds: message.unixFds || null,
    Timestamp: `${time}${microseconds}Z`,
  });
  const ends = pairs({
    Sender: message.sender,
    Destination: message.destination,
    Path: message.path,
    Interface: message.interface,
    Member: message.member,
  });
  const known = pairs({
    SenderNames: namesText(message.sender, names),
    DestinationNames: namesText(message.destination, names),
    AnswerTo: observation.call === null ? null : memberText(observation.call.message),
    Latency:
      observation.latencyMicroseconds === null
        ? null
        : durationText(observation.latencyMicroseconds),
  });
  const error = pairs({
    ErrorName: message.errorName,
    ErrorMessage:
      message.errorName !== null && typeof first === "string" ? quoted(first, limits) : null,
  });
  const lines = [
    `‣ ${head}`,
    ...[ends, known, error].flatMap((line) => (line === "" ? [] : [`  ${line}`])),
  ];
  const values = new Values(limits);
  values.block(`MESSAGE "${message.signature}"`, "  ", (indentation) => {
    parseSignature(message.signature).forEach((each, index) => {
      values.add(each, message.body[index], indentation);
    });
  });
  return `${[...lines, ...values.lines].join("\n")}\n\n`;
}

function pairs(values: Readonly<Record<string, string | number | null>>): string {
  return Object.entries(values)
    .flatMap(([key, value]) => (value === null ? [] : [`${key}=${value}`]))
    .join("  ");
}

function namesText(end: string | null, names: KnownNames): string | null {
  const known = end === null ? [] : names.namesOf(end);
  return known.length === 0 ? null : known.join(",");
}

class Values {
  readonly lines: string[] = [];
  readonly #limits: TextLimits;
  #length = 0;

  constructor(limits: TextLimits) {
    this.#limits = limits;
  }

  get #isFull(): boolean {
    return this.#length > this.#limits.totalCharacters;
  }

  block(head: string, indentation: string, fill: (indentation: string) => void): void {
    this.#line(indentation, `${head} {`);
    fill(indentation + STEP);
    this.lines.push(`${indentation}};`);
  }

  add(type: Type, value: unknown, indentation: string): void {
    if (this.#isFull) return;
    const [element] = type.children;
    if (value instanceof Variant) {
      this.block(`VARIANT "${value.signature}"`, indentation, (inside) => {
        for (const inner of parseSignature(value.signature)) this.add(inner, value.value, inside);
      });
    } else if (type.code === "a" && element !== undefined) {
      const { elements, hiddenCount } = elementsOf(value, this.#limits);
      this.block(`ARRAY "${element.signature}"`, indentation, (inside) => {
        for (const each of elements) this.add(element, each, inside);
        if (hiddenCount > 0 && !this.#isFull) this.#line(inside, `… (+${hiddenCount})`);
      });
    } else if (type.children.length > 0) {
      const fields = value as readonly unknown[]; // a struct or an entry of a dictionary
      const name = type.code === "(" ? "STRUCT" : "DICT_ENTRY";
      this.block(`${name} "${type.signature.slice(1, -1)}"`, indentation, (inside) => {
        type.children.forEach((field, index) => {
          this.add(field, fields[index], inside);
        });
      });
    } else {
      this.#line(indentation, `${VALUE_NAMES[type.code]} ${basicText(value, this.#limits)};`);
    }
  }

  /** The line that goes past the limit is the last one, and one says that there is more. */
  #line(indentation: string, text: string): void {
    this.lines.push(indentation + text);
    this.#length += text.length;
    if (this.#isFull) this.lines.push(`${indentation}…`);
  }
}
