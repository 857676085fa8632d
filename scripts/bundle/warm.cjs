/**
 * Writes V8's code cache for the bundled daemon: `node warm.cjs SCRIPT ENTRY CACHE`.
 *
 * The daemon runs here and serves one peer, so that the cache has the functions which a start needs and no others.
 */

"use strict";

const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { connect } = require("node:net");
const { tmpdir } = require("node:os");
const { dirname, join } = require("node:path");
const { Script } = require("node:vm");

const [script, entry, cache] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "onehop-warm-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
// Not the folder for service files of whoever builds.
delete process.env.XDG_RUNTIME_DIR;
const socket = join(folder, "bus");
process.argv = [process.execPath, entry, "--session", "--nofork", `--address=unix:path=${socket}`];

const program = new Script(readFileSync(script, "utf8"), { filename: script });
program.runInThisContext()(exports, createRequire(entry), module, entry, dirname(entry));
setImmediate(sayHello);

/** EXTERNAL with an empty identity means the user that the kernel names. */
function sayHello() {
  const peer = connect(socket);
  peer.write("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
  peer.write(hello());
  peer.on("error", fail);
  let answer = "";
  peer.setEncoding("latin1").on("data", (text) => {
    answer += text;
    if (!answer.includes("NameAcquired")) return;
    writeFileSync(cache, program.createCachedData());
    process.exit(0);
  });
  peer.on("close", () => fail(new Error("the daemon closed the connection")));
}

function fail({ message }) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** The method call Hello, with its four header fields. */
function hello() {
  const fields = [
    [1, "o", "/org/freedesktop/DBus"],
    [2, "s", "org.freedesktop.DBus"],
    [3, "s", "Hello"],
    [6, "s", "org.freedesktop.DBus"],
  ].map(([code, type, value]) => {
    const field = Buffer.alloc(9 + value.length);
    field.set([code, 1, type.charCodeAt(0), 0]);
    field.writeUInt32LE(value.length, 4);
    field.write(value, 8);
    return field;
  });
  const byteLength = fields.reduce((sum, field) => aligned(sum) + field.length, 0);
  const message = Buffer.alloc(16 + aligned(byteLength));
  message.set([0x6c, 1, 0, 1]);
  message.writeUInt32LE(1, 8);
  message.writeUInt32LE(byteLength, 12);
  let offset = 16;
  for (const field of fields) {
    offset = aligned(offset);
    message.set(field, offset);
    offset += field.length;
  }
  return message;
}

function aligned(offset) {
  return (offset + 7) & ~7;
}
