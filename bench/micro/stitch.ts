/** Giving a message its sender: by a patched length, and by a rewritten header. */

import { bench, boxplot, do_not_optimize, run } from "mitata";
import { Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import {
  appendSender,
  rewriteHeader,
  SENDER_FIELD_BYTES,
  writeSenderField,
} from "../../wire/stitch.ts";
import { sampleMemory } from "./samples.ts";

const { memory, offsets } = sampleMemory();
const first = offsets[0] ?? 0;
const strings = new Strings();
const senderLength = writeSenderField(
  new Memory(new ArrayBuffer(SENDER_FIELD_BYTES)),
  0,
  ":1.42",
  true,
);
const patched = new Header(memory);
patched.parse(strings, memory, first);
// Of its own, as appendSender changes the bytes it is given.
const pristine = Memory.of(memory.bytes);
const rewritten = new Header(pristine);
rewritten.parse(strings, pristine, first);
const target = new Memory(new ArrayBuffer(1024));

boxplot(() => {
  bench("append the sender", () => appendSender(patched, senderLength));
  bench("rewrite the header", () => do_not_optimize(rewriteHeader(rewritten, target, 0)));
});

run({ colors: process.stdout.isTTY === true });
