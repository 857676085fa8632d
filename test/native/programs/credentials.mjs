/**
 * Connects to the path argv[3] with the addon argv[2] as the user and group argv[4], tells by one byte
 * that it has, and stays until it is hung up on. It prints the credentials of the other end.
 */

import { loadAddonFrom } from "./poller.mjs";

const addon = loadAddonFrom(process.argv[2]);
const id = Number(process.argv[4]);
process.setgroups([id, id + 1, id + 2]);
process.setgid(id);
process.setuid(id);
const fd = addon.connectUnix(process.argv[3], false);
if (fd < 0) throw new Error(`connect: ${fd}`);
addon.send(fd, Buffer.from("x"), []);
const { pid, uid, gid, groups } = addon.credentials(fd);
console.log(JSON.stringify({ pid, uid, gid, groups }));
const into = new Uint8Array(1);
while (addon.receive(fd, into, 0).byteLength !== 0) {
  await new Promise((done) => setTimeout(done, 5));
}
addon.closeDescriptor(fd);
