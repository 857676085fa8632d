/** Messages as bytes, made here so that these tests do not stand on the code that marshals for users. */

import { Buffer } from "node:buffer";
import { HeaderField } from "../../wire/protocol.ts";

/** `[signature, value]`; a dictionary of strings stands for everything that is not a string or a path. */
export type RawArgument =
  | readonly ["s" | "o" | "g", string]
  | readonly ["u", number]
  | readonly ["as", readonly string[]]
  | readonly ["(ys)", readonly [number, string]];

export interface RawMessage {
  readonly type: number;
  readonly serial: number;
  readonly flags?: number;
  readonly path?: string | null;
  readonly interface?: string | null;
  readonly member?: string | null;
  readonly errorName?: string | null;
  readonly replySerial?: number | null;
  readonly destination?: string | null;
  readonly sender?: string | null;
  readonly args?: readonly RawArgument[];
  readonly isBigEndian?: boolean;
}

/** The whole message, header padding included. */
export function rawMessage(message: RawMessage): Uint8Array {
  const fields = new Bytes(message.isBigEndian ?? false);
  const args = message.args ?? [];
  fields.field(HeaderField.Path, "o", message.path ?? null);
  fields.field(HeaderField.Interface, "s", message.interface ?? null);
  fields.field(HeaderField.Member, "s", message.member ?? null);
  fields.field(HeaderField.ErrorName, "s", message.errorName ?? null);
  fields.field(HeaderField.ReplySerial, "u", message.replySerial ?? null);
  fields.field(HeaderField.Destination, "s", message.destination ?? null);
  fields.field(HeaderField.Sender, "s", message.sender ?? null);
  const signature = args.map(([type]) => type).join("");
  fields.field(HeaderField.Signature, "g", signature === "" ? null : signature);
  const body = new Bytes(message.isBigEndian ?? false);
  for (const argument of args) body.argument(argument);
  const whole = new Bytes(message.isBigEndian ?? false);
  whole.byte(message.isBigEndian === true ? 0x42 : 0x6c);
  whole.byte(message.type);
  whole.byte(message.flags ?? 0);
  whole.byte(1);
  whole.word(body.bytes.length);
  whole.word(message.serial);
  whole.word(fields.bytes.length);
  whole.bytes.push(...fields.bytes);
  whole.pad(8);
  return Uint8Array.from(whole.bytes.concat(body.bytes));
}

class Bytes {
  readonly bytes: number[] = [];
  readonly #isBigEndian: boolean;

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian;
  }

  pad(alignment: number): void {
    while (this.bytes.length % alignment !== 0) this.bytes.push(0);
  }

  byte(value: number): void {
    this.bytes.push(value);
  }

  word(value: number): void {
    this.pad(4);
    const word = [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
    this.bytes.push(...(this.#isBigEndian ? word.reverse() : word));
  }

  text(value: string): void {
    const encoded = Buffer.from(value);
    this.word(encoded.length);
    this.bytes.push(...encoded, 0);
  }

  signature(value: string): void {
    this.bytes.push(value.length, ...Buffer.from(value), 0);
  }

  field(code: number, type: "s" | "o" | "g" | "u", value: string | number | null): void {
    if (value === null) return;
    this.pad(8);
    this.byte(code);
    this.signature(type);
    if (typeof value === "number") this.word(value);
    else if (type === "g") this.signature(value);
    else this.text(value);
  }

  argument([type, value]: RawArgument): void {
    switch (type) {
      case "s":
      case "o":
        this.text(value);
        break;
      case "g":
        this.signature(value);
        break;
      case "u":
        this.word(value);
        break;
      case "as": {
        const elements = new Bytes(this.#isBigEndian);
        for (const element of value) elements.text(element);
        this.word(elements.bytes.length);
        this.bytes.push(...elements.bytes);
        break;
      }
      case "(ys)":
        this.pad(8);
        this.byte(value[0]);
        this.text(value[1]);
        break;
    }
  }
}
