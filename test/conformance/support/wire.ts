/** A small D-Bus codec of the suite's own, written from the specification and from nothing of onehop's. */

export const Type = { Call: 1, Return: 2, Error: 3, Signal: 4 } as const;

export const Flag = {
  NoReplyExpected: 1,
  NoAutoStart: 2,
  AllowInteractiveAuthorization: 4,
} as const;

export const Field = {
  Path: 1,
  Interface: 2,
  Member: 3,
  ErrorName: 4,
  ReplySerial: 5,
  Destination: 6,
  Sender: 7,
  Signature: 8,
  UnixFds: 9,
} as const;

/** A value inside a variant, with its signature. */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

/** Structs and arrays are arrays; a dictionary is an array of [key, value]; 64-bit integers are bigints. */
export type Value = string | number | bigint | boolean | Variant | readonly Value[];

/** One header field as it goes on the wire: code, signature, value. */
export type RawField = readonly [code: number, signature: string, value: Value];

/** What is to be sent; whatever is absent is not written. */
export interface Draft {
  readonly type: number;
  readonly flags?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature?: string;
  readonly unixFds?: number;
  readonly arguments?: readonly Value[];
  /** Further header fields, written after the others. */
  readonly fields?: readonly RawField[];
  readonly bigEndian?: boolean;
  readonly version?: number;
  /** Instead of `arguments`: these bytes are the body. */
  readonly body?: Uint8Array;
  /** A serial other than the sender's next one. */
  readonly serial?: number;
}

/** A message as it arrived. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly serial: number;
  readonly bigEndian: boolean;
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  readonly errorName: string | null;
  readonly replySerial: number | null;
  readonly destination: string | null;
  readonly sender: string | null;
  readonly signature: string;
  readonly unixFds: number;
  /** Every header field, by code. */
  readonly fields: ReadonlyMap<number, Value>;
  readonly body: Uint8Array;
  /** Decoded when asked for: a case about 64 MiB looks only at `body`. */
  readonly arguments: readonly Value[];
}

const STANDARD_FIELDS = [
  [Field.Path, "o", "path"],
  [Field.Interface, "s", "interface"],
  [Field.Member, "s", "member"],
  [Field.ErrorName, "s", "errorName"],
  [Field.ReplySerial, "u", "replySerial"],
  [Field.Destination, "s", "destination"],
  [Field.Sender, "s", "sender"],
  [Field.Signature, "g", "signature"],
  [Field.UnixFds, "u", "unixFds"],
] as const;

/** The bytes of `draft` with the given serial. */
export function encode(draft: Draft, serial: number): Uint8Array {
  const bigEndian = draft.bigEndian ?? false;
  const body = draft.body ?? encodeBody(draft.signature ?? "", draft.arguments ?? [], bigEndian);
  const fields: RawField[] = [];
  for (const [code, signature, name] of STANDARD_FIELDS) {
    const value = draft[name];
    if (value !== undefined && !(name === "signature" && value === "")) {
      fields.push([code, signature, value]);
    }
  }
  fields.push(...(draft.fields ?? []));
  const writer = new Writer(bigEndian);
  writer.byte(bigEndian ? 0x42 : 0x6c);
  writer.byte(draft.type);
  writer.byte(draft.flags ?? 0);
  writer.byte(draft.version ?? 1);
  writer.uint32(body.length);
  writer.uint32(serial);
  writer.write(
    "a(yv)",
    fields.map(([code, signature, value]) => [code, { signature, value }]),
  );
  writer.align(8);
  return concatenate([writer.bytes(), body]);
}

/** The bytes of a body. */
export function encodeBody(
  signature: string,
  values: readonly Value[],
  bigEndian = false,
): Uint8Array {
  const writer = new Writer(bigEndian);
  const types = completeTypes(signature);
  if (types.length !== values.length) {
    throw new Error(`signature "${signature}" does not fit ${values.length} values`);
  }
  types.forEach((type, index) => {
    writer.write(type, values[index] ?? "");
  });
  return writer.bytes();
}

/** The length of the message that begins at `bytes`, or null while that cannot be told. */
export function messageLength(bytes: Uint8Array): number | null {
  if (bytes.length < 16) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const littleEndian = bytes[0] === 0x6c;
  const headerLength = (16 + view.getUint32(12, littleEndian) + 7) & ~7;
  return headerLength + view.getUint32(4, littleEndian);
}

/** One whole message. */
export function decode(bytes: Uint8Array): Message {
  const bigEndian = bytes[0] === 0x42;
  const reader = new Reader(bytes, bigEndian);
  reader.offset = 4;
  const bodyLength = reader.uint32();
  const serial = reader.uint32();
  const fields = new Map<number, Value>();
  // The header's fields are an array of (code, variant) by the specification.
  for (const [code, variant] of reader.read("a(yv)") as unknown as [number, Variant][]) {
    if (fields.has(code)) throw new Error(`header field ${code} appears twice`);
    fields.set(code, variant.value);
  }
  reader.align(8);
  const body = bytes.subarray(reader.offset, reader.offset + bodyLength);
  const signature = text(fields, Field.Signature) ?? "";
  let values: readonly Value[] | null = null;
  return {
    type: bytes[1] ?? 0,
    flags: bytes[2] ?? 0,
    serial,
    bigEndian,
    path: text(fields, Field.Path),
    interface: text(fields, Field.Interface),
    member: text(fields, Field.Member),
    errorName: text(fields, Field.ErrorName),
    replySerial: number(fields, Field.ReplySerial),
    destination: text(fields, Field.Destination),
    sender: text(fields, Field.Sender),
    signature,
    unixFds: number(fields, Field.UnixFds) ?? 0,
    fields,
    body,
    get arguments() {
      values ??= decodeBody(signature, body, bigEndian);
      return values;
    },
  };
}

/** The values of a body. */
export function decodeBody(signature: string, body: Uint8Array, bigEndian: boolean): Value[] {
  const reader = new Reader(body, bigEndian);
  return completeTypes(signature).map((type) => reader.read(type));
}

/** "sa{sv}u" → ["s", "a{sv}", "u"]. */
export function completeTypes(signature: string): string[] {
  const types: string[] = [];
  for (let start = 0; start < signature.length; ) {
    const end = endOfType(signature, start);
    types.push(signature.slice(start, end));
    start = end;
  }
  return types;
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function text(fields: ReadonlyMap<number, Value>, code: number): string | null {
  const value = fields.get(code);
  return typeof value === "string" ? value : null;
}

function number(fields: ReadonlyMap<number, Value>, code: number): number | null {
  const value = fields.get(code);
  return typeof value === "number" ? value : null;
}

function endOfType(signature: string, start: number): number {
  const character = signature[start];
  if (character === "a") return endOfType(signature, start + 1);
  if (character !== "(" && character !== "{") return start + 1;
  let depth = 0;
  for (let index = start; index < signature.length; index++) {
    if ("({".includes(signature.charAt(index))) depth++;
    if (")}".includes(signature.charAt(index)) && --depth === 0) return index + 1;
  }
  throw new Error(`"${signature}" is not a signature`);
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  h: 4,
  s: 4,
  o: 4,
  a: 4,
  x: 8,
  t: 8,
  d: 8,
  "(": 8,
  "{": 8,
};

function alignmentOf(type: string): number {
  const alignment = ALIGNMENT[type.charAt(0)];
  if (alignment === undefined) throw new Error(`no type begins with "${type}"`);
  return alignment;
}

function wide(value: Value): bigint {
  return typeof value === "bigint" ? value : BigInt(Number(value));
}

const UTF8 = new TextEncoder();

class Writer {
  #buffer = new Uint8Array(256);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;
  readonly #littleEndian: boolean;

  constructor(bigEndian: boolean) {
    this.#littleEndian = !bigEndian;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  align(alignment: number): void {
    this.#grow((alignment - (this.#length % alignment)) % alignment);
  }

  byte(value: number): void {
    this.#number(1, (view, at) => view.setUint8(at, value));
  }

  uint32(value: number): void {
    this.align(4);
    this.#number(4, (view, at) => view.setUint32(at, value, this.#littleEndian));
  }

  write(type: string, value: Value): void {
    this.align(alignmentOf(type));
    const littleEndian = this.#littleEndian;
    switch (type.charAt(0)) {
      case "y":
        this.byte(Number(value));
        break;
      case "n":
        this.#number(2, (view, at) => view.setInt16(at, Number(value), littleEndian));
        break;
      case "q":
        this.#number(2, (view, at) => view.setUint16(at, Number(value), littleEndian));
        break;
      case "i":
        this.#number(4, (view, at) => view.setInt32(at, Number(value), littleEndian));
        break;
      case "b":
      case "u":
      case "h":
        this.uint32(Number(value));
        break;
      case "x":
        this.#number(8, (view, at) => view.setBigInt64(at, wide(value), littleEndian));
        break;
      case "t":
        this.#number(8, (view, at) => view.setBigUint64(at, wide(value), littleEndian));
        break;
      case "d":
        this.#number(8, (view, at) => view.setFloat64(at, Number(value), littleEndian));
        break;
      case "s":
      case "o":
      case "g":
        this.#text(UTF8.encode(String(value)), type === "g");
        break;
      case "v":
        this.#variant(value as Variant); // by the caller's signature
        break;
      case "(":
      case "{":
        this.#members(type.slice(1, -1), value as readonly Value[]); // by the caller's signature
        break;
      default:
        this.#array(type.slice(1), value as readonly Value[]); // by the caller's signature
    }
  }

  #text(bytes: Uint8Array, short: boolean): void {
    if (short) this.byte(bytes.length);
    else this.uint32(bytes.length);
    const start = this.#grow(bytes.length + 1);
    this.#buffer.set(bytes, start);
  }

  #variant(variant: Variant): void {
    this.write("g", variant.signature);
    this.write(variant.signature, variant.value);
  }

  #members(signature: string, values: readonly Value[]): void {
    completeTypes(signature).forEach((type, index) => {
      this.write(type, values[index] ?? "");
    });
  }

  #array(element: string, values: readonly Value[]): void {
    const lengthAt = this.#grow(4);
    this.align(alignmentOf(element));
    const start = this.#length;
    for (const value of values) this.write(element, value);
    this.#view.setUint32(lengthAt, this.#length - start, this.#littleEndian);
  }

  /** Room first: growing changes the view. */
  #number(byteLength: number, set: (view: DataView, at: number) => void): void {
    const at = this.#grow(byteLength);
    set(this.#view, at);
  }

  /** Reserves `count` zeroed bytes and says where they begin. */
  #grow(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#buffer.length * 2));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return start;
  }
}

class Reader {
  offset = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array, bigEndian: boolean) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#littleEndian = !bigEndian;
  }

  align(alignment: number): void {
    this.offset += (alignment - (this.offset % alignment)) % alignment;
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), this.#littleEndian);
  }

  read(type: string): Value {
    this.align(alignmentOf(type));
    const littleEndian = this.#littleEndian;
    switch (type.charAt(0)) {
      case "y":
        return this.#view.getUint8(this.#take(1));
      case "n":
        return this.#view.getInt16(this.#take(2), littleEndian);
      case "q":
        return this.#view.getUint16(this.#take(2), littleEndian);
      case "i":
        return this.#view.getInt32(this.#take(4), littleEndian);
      case "b":
        return this.uint32() !== 0;
      case "u":
      case "h":
        return this.uint32();
      case "x":
        return this.#view.getBigInt64(this.#take(8), littleEndian);
      case "t":
        return this.#view.getBigUint64(this.#take(8), littleEndian);
      case "d":
        return this.#view.getFloat64(this.#take(8), littleEndian);
      case "s":
      case "o":
        return this.#text(this.uint32());
      case "g":
        return this.#text(this.#view.getUint8(this.#take(1)));
      case "v": {
        const signature = String(this.read("g"));
        return { signature, value: this.read(signature) };
      }
      case "(":
      case "{":
        return completeTypes(type.slice(1, -1)).map((member) => this.read(member));
      default:
        return this.#array(type.slice(1));
    }
  }

  #text(length: number): string {
    const start = this.#take(length + 1);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      this.#bytes.subarray(start, start + length),
    );
  }

  #array(element: string): Value[] {
    const length = this.uint32();
    this.align(alignmentOf(element));
    const end = this.offset + length;
    const values: Value[] = [];
    while (this.offset < end) values.push(this.read(element));
    if (this.offset !== end) throw new Error("an array's elements overrun its length");
    return values;
  }

  #take(count: number): number {
    const start = this.offset;
    this.offset += count;
    return start;
  }
}
