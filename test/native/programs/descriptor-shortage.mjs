/**
 * Runs out of descriptors (start it with a low limit) while connections and descriptors come in, and
 * prints what the poller told: argv[2] is the addon, argv[3] a path to listen at.
 */

import { createPoller, loadAddonFrom } from "./poller.mjs";

const addon = loadAddonFrom(process.argv[2]);
const story = [];
const hoard = [];
const kindNames = ["bytes", "accepted", "closed", "accept failed"];

let seen = () => undefined;
const poller = createPoller(addon, (words) => {
  story.push([kindNames[words[1]], words[1] >= 2 ? words[6] : 0]);
  seen();
});

const listener = addon.listenUnix(process.argv[3], false, 8);
poller.addListener(listener, 7);
const [ours, peer] = addon.socketPair();
poller.addConnection(ours);
const clients = [
  addon.connectUnix(process.argv[3], false),
  addon.connectUnix(process.argv[3], false),
];

for (let fd = 0; fd >= 0; ) {
  fd = addon.duplicateDescriptor(0);
  if (fd >= 0) hoard.push(fd);
}
addon.closeDescriptor(hoard.pop());

// One can be accepted, the other cannot; and the turns after that must not be a busy loop.
await new Promise((done) => {
  seen = () => story.length >= 2 && done();
});
const turns = poller.counters()[0];
for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
story.push(["idle turns", poller.counters()[0] - turns]);

// Descriptors that the kernel cannot hand over end the input of their connection.
addon.send(peer, Buffer.from("x"), [0, 0]);
await new Promise((done) => {
  seen = done;
});

addon.closeDescriptor(hoard.pop());
addon.closeDescriptor(hoard.pop());
poller.setListening(7, true);
await new Promise((done) => {
  seen = done;
});
console.log(JSON.stringify(story));
for (const fd of [...hoard, ...clients, peer]) addon.closeDescriptor(fd);
poller.stop();
