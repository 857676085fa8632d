/** The codecs of the client libraries: values to bytes and back, without a connection. */

import { createRequire } from "node:module";
import { marshal } from "../../wire/marshal.ts";
import { unmarshal } from "../../wire/unmarshal.ts";
import { Variant } from "../../wire/variant.ts";
import type { Library } from "./libraries.ts";
import { type Forms, type SampleSignature, sampleOf } from "./samples.ts";

/** Encodes and decodes one sample. */
export interface Codec {
  /** The library's bytes of the sample's body, its last ones if there is a header before them. */
  encode(): Uint8Array;
  /** The library's values of the same bytes. */
  decode(): unknown;
}

/** Libraries with a codec of their own: with the addon or without it ours is the same. */
export const CODEC_LIBRARIES: readonly Library[] = ["onehop", "dbus-native", "dbus-next"];

const require = createRequire(import.meta.url);
const LITTLE = 0x6c;

/** @throws if the library has no codec of its own, or is not installed */
export function openCodec(library: Library, signature: SampleSignature): Codec {
  switch (library) {
    case "onehop":
      return ours(signature);
    case "dbus-native":
      return dbusNative(signature);
    case "dbus-next":
      return dbusNext(signature);
    case "without addon":
      throw new Error("without the addon the codec is the same");
  }
}

const ourForms: Forms = {
  variant: (signature, value) => new Variant(signature, value),
  dictionary: (entries) => Object.fromEntries(entries),
};

function ours(signature: SampleSignature): Codec {
  const body = [sampleOf(signature, ourForms)];
  const bytes = bodyBytes(signature);
  return {
    encode: () => marshal(signature, body),
    decode: () => unmarshal(signature, bytes),
  };
}

/** Arrays of pairs, which it writes faster than plain objects. */
const dbusNativeForms: Forms = {
  variant: (signature, value) => [signature, value],
  dictionary: (entries) => entries,
};

/** A body is all that its own `marshall` and `DBusBuffer` know. */
function dbusNative(signature: SampleSignature): Codec {
  const marshall: (
    signature: string,
    body: unknown[],
  ) => Buffer = require("dbus-native/lib/marshall.js");
  const DBusBuffer: new (
    bytes: Buffer,
    offset: number,
    options: object,
    order: number,
  ) => { read(signature: string): unknown } = require("dbus-native/lib/dbus-buffer.js");
  const body = [sampleOf(signature, dbusNativeForms)];
  const bytes = Buffer.from(bodyBytes(signature));
  return {
    encode: () => marshall(signature, body),
    decode: () => new DBusBuffer(bytes, 0, {}, LITTLE).read(signature),
  };
}

/** Whole messages: only those come and go in the form of values that its users see. */
function dbusNext(signature: SampleSignature): Codec {
  const dbus: typeof import("dbus-next") = require("dbus-next");
  const compat: {
    marshallMessage(message: object): [Buffer, unknown];
    messageToJsFmt(message: object): { body: unknown[] };
  } = require("dbus-next/lib/marshall-compat.js");
  const { unmarshall }: { unmarshall(bytes: Buffer): object } = require("dbus-next/lib/message.js");
  const forms: Forms = {
    variant: (type, value) => new dbus.Variant(type, value),
    dictionary: (entries) => Object.fromEntries(entries),
  };
  const sample = sampleOf(signature, forms);
  const messageOf = (): object =>
    new dbus.Message({ path: "/", member: "M", serial: 1, signature, body: [sample] });
  const [bytes] = compat.marshallMessage(messageOf());
  return {
    // It replaces the body in the message that it is given.
    encode: () => compat.marshallMessage(messageOf())[0],
    decode: () => compat.messageToJsFmt(unmarshall(bytes)).body,
  };
}

/** The bytes of the sample's body. */
export function bodyBytes(signature: SampleSignature): Uint8Array {
  return marshal(signature, [sampleOf(signature, ourForms)]);
}
