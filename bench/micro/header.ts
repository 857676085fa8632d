/** Parsing headers: what every message pays first. */

import { bench, do_not_optimize, run } from "mitata";
import { Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { sampleMemory } from "./samples.ts";

const strings = new Strings();
const { memory, offsets } = sampleMemory();
const header = new Header(memory);

bench(`parse ${offsets.length} headers whose strings are known`, () => {
  let sum = 0;
  for (const offset of offsets) sum += header.parse(strings, memory, offset);
  do_not_optimize(sum);
});

run({ colors: process.stdout.isTTY === true });
