#!/usr/bin/env node
/**
 * The entry of a bundled program, a copy of which with its constants lies in `dist`: the whole program as one
 * script that V8 finds compiled, if it is the V8 that the build ran on.
 *
 * `tsc -b` alone leaves the bundle behind what it has built: then the program starts from its modules.
 */

"use strict";

const { readFileSync, statSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

const { script, cache, v8, rooms, main } = "constants of the bundle";

const isStale = rooms.some((room) => changedMs(join(__dirname, room)) > changedMs(__filename));
if (isStale) {
  import(`./${main}`);
} else {
  const isSameV8 = v8 === `${process.versions.v8} ${process.arch}`;
  const program = new Script(readFileSync(join(__dirname, script), "utf8"), {
    filename: join(__dirname, script),
    cachedData: isSameV8 ? readFileSync(join(__dirname, cache)) : undefined,
  });
  program.runInThisContext()(exports, require, module, __filename, __dirname);
}

/** 0 for what is not there: the package is published without the compiler's records. */
function changedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
