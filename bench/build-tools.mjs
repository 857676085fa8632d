/**
 * Compiles the C tools of the benches into `bench/build/`: dbload, relay, broker-launch and sdbus-client.
 *
 * `node bench/build-tools.mjs` builds what is missing or older than its source and prints one
 * line for each tool. Without libsystemd's headers broker-launch and sdbus-client are left out, and dbus-broker
 * and sd-bus with them; without a C compiler nothing can be measured and the exit code is 1.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, statSync } from "node:fs";
import { join, relative } from "node:path";

const SOURCES = join(import.meta.dirname, "tools");
const BUILD = join(import.meta.dirname, "build");
const FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra"];
const compiler = process.env["CC"] ?? "cc";

mkdirSync(BUILD, { recursive: true });
if (spawnSync(compiler, ["--version"]).status !== 0) {
  console.error(
    `build-tools: no C compiler: '${compiler}' does not run. Install gcc (Debian: apt-get install gcc libc6-dev) or set CC.`,
  );
  process.exit(1);
}
compile("dbload");
compile("relay");
if (hasHeader("systemd/sd-bus.h")) {
  compile("broker-launch", ["-lsystemd"]);
  compile("sdbus-client", ["-lsystemd"]);
} else {
  console.error(
    "build-tools: broker-launch and sdbus-client are left out, so dbus-broker cannot be started and sd-bus not be measured: libsystemd's headers are missing (Debian: apt-get install libsystemd-dev).",
  );
}

function compile(tool, libraries = []) {
  const source = join(SOURCES, `${tool}.c`);
  const output = join(BUILD, tool);
  if (modifiedMs(output) > modifiedMs(source)) {
    console.log(`${relative(process.cwd(), output)} is up to date`);
    return;
  }
  // Renamed into place, so that another build at the same time never sees half a program.
  const fresh = `${output}.${process.pid}`;
  const result = spawnSync(compiler, [...FLAGS, "-o", fresh, source, ...libraries], {
    stdio: "inherit",
  });
  if (result.status !== 0) {
    console.error(`build-tools: ${compiler} could not compile ${relative(process.cwd(), source)}.`);
    process.exit(1);
  }
  renameSync(fresh, output);
  console.log(`${relative(process.cwd(), output)} is built`);
}

function hasHeader(header) {
  const input = `#include <${header}>\n`;
  return (
    spawnSync(compiler, ["-E", "-x", "c", "-"], { input, stdio: ["pipe", "ignore", "ignore"] })
      .status === 0
  );
}

function modifiedMs(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
