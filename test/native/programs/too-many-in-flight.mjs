/**
 * Sends descriptors to somebody who does not read until the kernel takes no more of them (start it as another user, with
 * a low limit of descriptors), and prints what happened: argv[2] is the addon.
 */

import { createPoller, loadAddonFrom } from "./poller.mjs";

const addon = loadAddonFrom(process.argv[2]);
const DROPPED = 7;
const operations = new Int32Array(1024);
const arena = new ArrayBuffer(1 << 20);
let dropped = 0;
let tell = () => {};
const poller = createPoller(
  addon,
  (words) => {
    if (words[1] !== DROPPED) throw new Error(`record of kind ${words[1]}`);
    dropped += words[6];
    tell();
  },
  { operations, arena },
);
const [ours, peer] = addon.socketPair();
const slot = poller.addConnection(ours);
const scratch = new Uint8Array(arena, 1 << 19);

/** A message of one byte, with so many descriptors or none. */
function send(byte, count) {
  const copies = Array.from({ length: count }, () => addon.duplicateDescriptor(0));
  const set = count === 0 ? 0 : poller.putDescriptors(copies);
  scratch[0] = byte;
  operations.set([slot, byte, 0, 1 << 19, 1, 0, 0, 0, 0, 0, set]);
  poller.flush(11);
}

let sent = 0;
const isFull = new Promise((done) => {
  tell = done;
});
const more = () => {
  if (dropped > 0) return;
  send(++sent, 20);
  setImmediate(more);
};
more();
await isFull;
send(++sent, 0);
const got = [];
for (;;) {
  const { byteLength, descriptors } = addon.receive(peer, scratch.subarray(1), 253);
  if (byteLength <= 0) break;
  got.push(scratch[1], descriptors.length);
  for (const fd of descriptors) addon.closeDescriptor(fd);
}
// Whoever got them has read them: there is room again.
send(++sent, 20);
const { descriptors } = addon.receive(peer, scratch.subarray(1), 253);
console.log(JSON.stringify({ sent, dropped, got, later: descriptors.length }));
for (const fd of [...descriptors, peer]) addon.closeDescriptor(fd);
poller.stop();
