/**
 * Prints how many MiB go back to the kernel when 64 MiB in blocks are freed that lie between others: argv[2] is the
 * addon, argv[3] from how many bytes on blocks are mapped, or nothing. Run it with --expose-gc.
 */

import { loadAddonFrom } from "./poller.mjs";

const MIB = 1 << 20;
const [, , file, threshold] = process.argv;
if (threshold !== undefined) loadAddonFrom(file).mapBlocksFrom(Number(threshold));

// The C library raises its limit to the size of this one when it is freed.
let blocks = [new Uint8Array(30 * MIB).fill(1)];
await drop();
blocks = [];
const between = [];
for (let i = 0; i < 16; i++) {
  blocks.push(new Uint8Array(4 * MIB).fill(1));
  between.push(new Uint8Array(200_000).fill(1));
}
const before = process.memoryUsage.rss();
await drop();
console.log(Math.round((before - process.memoryUsage.rss()) / MIB));

async function drop() {
  blocks = [];
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
