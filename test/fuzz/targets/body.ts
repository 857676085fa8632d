/** Target: a body checked without making values, against the values made of it, and their bytes again. */

import { isDeepStrictEqual } from "node:util";
import { ARGUMENT_OTHER, ARGUMENT_PATH, ARGUMENT_STRING, Arguments } from "../../../wire/args.ts";
import { HEADER_PLAIN, Header } from "../../../wire/header.ts";
import { Strings } from "../../../wire/intern.ts";
import { marshal } from "../../../wire/marshal.ts";
import { Memory } from "../../../wire/memory.ts";
import { isSignature, isSingleCompleteType, parseSignature } from "../../../wire/signature.ts";
import { unmarshal } from "../../../wire/unmarshal.ts";
import { BodyValidator } from "../../../wire/validate.ts";
import { Variant } from "../../../wire/variant.ts";
import { fieldOf, putTogether } from "../message-parts.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { generatorOf, type Random } from "../random.ts";
import { must, type Target } from "../target.ts";
import { randomSignature, randomValue } from "../values.ts";
import { typeCount } from "./signature-model.ts";

const MAXIMUM_BYTES = 4000;
const BIG_ENDIAN = 1;
const WORDS = [
  ..."y,b,n,q,i,u,x,t,d,s,o,g,h,v,a,(,),{,},a{sv},(yu),aay,a(s),\x01v\0,\x01y\0,\x02ay\0".split(
    ",",
  ),
  ..."/,/a,//,\xc3\xa9,\xed\xa0\x80,\xc0\x80,\xf4\x90\x80\x80,\xf0\x80\x80\x80,\xff".split(","),
  "\0",
  "\0\0\0\0",
  "\x01\0\0\0",
  "\x01v\0".repeat(64),
  "a".repeat(32),
  "(".repeat(32),
];

/** An input: byte order and place in memory, the signature with its length, the body. */
interface Content {
  readonly isLittleEndian: boolean;
  readonly before: number;
  readonly signature: Uint8Array;
  readonly body: Uint8Array;
}

export function bodyTarget(): Target {
  const strings = new Strings();
  return {
    maximumBytes: MAXIMUM_BYTES,
    work: { fixed: 40_000, perByte: 2000 },
    mutate,
    run: (input) => run(strings, takeApart(input)),
  };
}

function takeApart(input: Uint8Array): Content {
  const [order = 0, length = 0] = input;
  return {
    isLittleEndian: (order & BIG_ENDIAN) === 0,
    before: (order >> 1) & 15,
    signature: input.subarray(2, 2 + length),
    body: input.subarray(2 + length),
  };
}

function putInput({ isLittleEndian, before, signature, body }: Content): Uint8Array {
  const order = (isLittleEndian ? 0 : BIG_ENDIAN) | (before << 1);
  return Buffer.concat([Buffer.from([order, signature.length]), signature, body]);
}

function mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const content = takeApart(input);
  const change = (bytes: Uint8Array, others: Uint8Array): Uint8Array =>
    mutateBytes(bytes, others, random, WORDS, MAXIMUM_BYTES);
  switch (random.below(9)) {
    case 0:
      return made(random) ?? input;
    case 1:
      return change(made(random) ?? input, other);
    case 2: {
      const signature = change(content.signature, takeApart(other).signature).subarray(0, 255);
      return putInput({ ...content, signature });
    }
    case 3:
      return putInput({ ...content, body: takeApart(other).body });
    case 4:
      return putInput({ ...content, body: lying(content, random) });
    default:
      return putInput({ ...content, body: change(content.body, takeApart(other).body) });
  }
}

/** With one word that is a little more or less, as a length may be. */
function lying({ body, isLittleEndian }: Content, random: Random): Uint8Array {
  const bytes = Uint8Array.from(body);
  const at = 4 * random.below(bytes.length >> 2);
  if (at + 4 > bytes.length) return bytes;
  const view = new DataView(bytes.buffer);
  const change = random.pick([-8, -4, -2, -1, 1, 2, 4, 8]);
  view.setUint32(at, view.getUint32(at, isLittleEndian) + change, isLittleEndian);
  return bytes;
}

/** What the marshaller makes of a random signature and random values. */
function made(random: Random): Uint8Array | null {
  const signature = randomSignature(random);
  const isLittleEndian = random.below(2) === 0;
  try {
    const values = parseSignature(signature).map((type) => randomValue(type, random));
    const body = marshal(signature, values, isLittleEndian).subarray(0, MAXIMUM_BYTES);
    return putInput({
      isLittleEndian,
      before: random.below(16),
      signature: Buffer.from(signature),
      body,
    });
  } catch {
    return null;
  }
}

const validator = new BodyValidator();

function run(strings: Strings, content: Content): void {
  const signature = Buffer.from(content.signature).toString("latin1");
  const count = typeCount(signature);
  must(isSignature(signature) === count >= 0, `${signature} has ${count} types`);
  must(isSingleCompleteType(signature) === (count === 1), `${signature} has ${count} types`);
  if (count < 0) return;
  const { isLittleEndian, before, body } = content;
  // What lies around the body is no part of it, whatever it is.
  const around = generatorOf(body).pick([0, 1, 0xff]);
  const memory = Memory.of(
    Buffer.concat([Buffer.alloc(before, around), body, Buffer.alloc(9, around)]),
  );
  const original = Buffer.from(memory.bytes);
  const verdict = validator.validate(memory, before, body.length, signature, isLittleEndian);
  must(original.equals(memory.bytes), "checking changed the body");
  must(
    verdict === 0 || (validator.offset >= before && validator.offset <= before + body.length),
    `a violation is said to be at ${validator.offset - before} of ${body.length}`,
  );
  const values = valuesOf(signature, body, isLittleEndian);
  must(
    (verdict === 0) === (values !== null),
    `${signature}: the check says ${verdict}, unmarshalling ${values === null ? "refuses" : "accepts"}`,
  );
  if (values === null) return;
  mustMarshalBack(signature, values, body, isLittleEndian);
  mustBeWalked(strings, signature, values, content);
}

function valuesOf(signature: string, body: Uint8Array, isLittleEndian: boolean): unknown[] | null {
  try {
    return unmarshal(signature, body, isLittleEndian);
  } catch (error) {
    if (error instanceof Error && error.name === "ProtocolViolation") return null;
    throw error;
  }
}

function mustMarshalBack(
  signature: string,
  values: unknown[],
  body: Uint8Array,
  isLittleEndian: boolean,
): void {
  const again = marshal(signature, values, isLittleEndian);
  if (Buffer.compare(again, body) === 0) return;
  must(values.some(losesBytes), `${signature}: ${Buffer.from(again).toString("hex")} comes back`);
  const restored = valuesOf(signature, again, isLittleEndian);
  must(restored !== null, `${signature}: what comes back is not valid`);
  // One NaN is not another to V8's maps once it has optimised the code.
  if (values.some(hasNaN)) return;
  must(isDeepStrictEqual(restored, values), `${signature}: other values come back`);
}

/** Equal keys become one, and a NaN may be another. */
function losesBytes(value: unknown): boolean {
  if (value instanceof Variant) return losesBytes(value.value);
  if (value instanceof Map) return value.size > 0;
  return Array.isArray(value) ? value.some(losesBytes) : hasNaN(value);
}

function hasNaN(value: unknown): boolean {
  if (value instanceof Variant) return hasNaN(value.value);
  if (value instanceof Map) return [...value].some(hasNaN);
  return Array.isArray(value) ? value.some(hasNaN) : Number.isNaN(value);
}

/** The arguments that match rules ask about are the ones that were unmarshalled. */
function mustBeWalked(
  strings: Strings,
  signature: string,
  values: unknown[],
  { isLittleEndian, before, body }: Content,
): void {
  const bytes = putTogether({
    order: isLittleEndian ? 0x6c : 0x42,
    type: 4,
    flags: 0,
    version: 1,
    serial: 1,
    fields: [
      fieldOf(8, "g", signature, isLittleEndian),
      fieldOf(1, "o", "/a", isLittleEndian),
      fieldOf(2, "s", "a.b", isLittleEndian),
      fieldOf(3, "s", "C", isLittleEndian),
    ],
    body,
  });
  const memory = Memory.of(Buffer.concat([Buffer.alloc(before), bytes]));
  const header = new Header(memory);
  const verdict = header.parse(strings, memory, before);
  must(verdict === HEADER_PLAIN, `the header with ${signature} is said to be ${verdict}`);
  const args = new Arguments(header);
  args.begin(header);
  const types = parseSignature(signature);
  for (let index = 0; index < 64; index++) {
    const code = types[index]?.code;
    const expected = code === "s" ? ARGUMENT_STRING : code === "o" ? ARGUMENT_PATH : ARGUMENT_OTHER;
    const type = args.type(index);
    must(type === expected, `${signature}: argument ${index} is said to be ${type}`);
    if (type === ARGUMENT_OTHER) continue;
    const at = args.offset(index);
    const text = Buffer.from(memory.bytes.subarray(at, at + args.length(index))).toString();
    must(text === values[index], `${signature}: argument ${index} is said to be ${text}`);
  }
  strings.sweep();
}
