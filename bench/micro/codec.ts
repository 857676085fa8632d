/** Marshalling and unmarshalling of common bodies, beside dbus-next. */

import { createRequire } from "node:module";
import { bench, boxplot, do_not_optimize, run, summary } from "mitata";
import { marshal } from "../../wire/marshal.ts";
import { NATURAL_VALUES } from "../../wire/read-options.ts";
import { unmarshal } from "../../wire/unmarshal.ts";
import { Variant } from "../../wire/variant.ts";

const require = createRequire(import.meta.url);

type OtherMarshal = (signature: string, body: readonly unknown[], offset: number) => Buffer;
interface OtherBuffer {
  read(signature: string): unknown[];
}
type OtherBufferClass = new (
  bytes: Buffer,
  startAt: number,
  endianness: number,
  descriptors: readonly unknown[],
) => OtherBuffer;

const LITTLE_ENDIAN = 0x6c;
// dbus-next has no types for the modules that its message codec is made of.
const otherMarshal = require("dbus-next/lib/marshall.js") as OtherMarshal;
const OtherBuffer = require("dbus-next/lib/dbus-buffer.js") as OtherBufferClass;

const properties = (): Record<string, Variant> => ({
  Name: new Variant("s", "Example player"),
  Icon: new Variant("s", "audio-x-generic"),
  Volume: new Variant("d", 0.5),
  CanPlay: new Variant("b", true),
  Track: new Variant("o", "/org/example/track/1"),
  Count: new Variant("u", 17),
  Genres: new Variant("as", ["jazz", "blues"]),
});

benchBody("a{sv}", [properties()]);
benchBody("aa{sv}", [Array.from({ length: 20 }, properties)]);
benchBody("ay", [Buffer.alloc(1 << 20, 7)]);
benchBody("a(oa{sa{sv}})", [
  Array.from({ length: 20 }, (_, i) => [
    `/org/example/object/${i}`,
    { "org.example.Player": properties(), "org.example.Track": properties() },
  ]),
]);

run({ colors: process.stdout.isTTY === true });

function benchBody(signature: string, body: readonly unknown[]): void {
  const others = forOther(body) as readonly unknown[]; // an array stays one
  const bytes = Buffer.from(marshal(signature, body));
  if (!bytes.equals(otherMarshal(signature, others, 0))) {
    throw new Error(`${signature} is marshalled differently`);
  }
  boxplot(() => {
    summary(() => {
      bench(`marshal ${signature}`, () => do_not_optimize(marshal(signature, body)));
      bench(`marshal ${signature}, dbus-next`, () =>
        do_not_optimize(otherMarshal(signature, others, 0)),
      );
    });
    summary(() => {
      bench(`unmarshal ${signature}`, () => do_not_optimize(unmarshal(signature, bytes)));
      bench(`unmarshal ${signature}, natural`, () =>
        do_not_optimize(unmarshal(signature, bytes, true, 0, NATURAL_VALUES)),
      );
      // dbus-next does not copy an `ay`: this is what compares with it there.
      bench(`unmarshal ${signature}, natural, views`, () =>
        do_not_optimize(unmarshal(signature, bytes, true, 0, { ...NATURAL_VALUES, bytes: "view" })),
      );
      bench(`unmarshal ${signature}, dbus-next`, () =>
        do_not_optimize(new OtherBuffer(bytes, 0, LITTLE_ENDIAN, []).read(signature)),
      );
    });
  });
}

/** The same values with pairs for variants and arrays of pairs for objects, which dbus-next's codec wants. */
function forOther(value: unknown): unknown {
  if (value instanceof Variant) return [value.signature, forOther(value.value)];
  if (Array.isArray(value)) return value.map(forOther);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.entries(value).map(([key, item]) => [key, forOther(item)]);
}
