/** Builds the addon with the C compiler and the headers of the node that runs this; no node-gyp. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const room = dirname(fileURLToPath(import.meta.url));
const withSanitizers = process.argv.includes("--asan");
/** For profilers that follow frame pointers, as perf does. */
const withFramePointers = process.argv.includes("--frame-pointers");
const folder = withSanitizers ? "build/asan" : withFramePointers ? "build/frame-pointers" : "build";
const output = join(room, folder, "onehop.node");
const sources = filesIn(join(room, "src"));

const unknown = process.argv
  .slice(2)
  .filter((argument) => !["--asan", "--frame-pointers"].includes(argument));
if (unknown.length > 0)
  fail(`unknown argument ${unknown[0]}; there are --asan and --frame-pointers`);
if (isUpToDate()) {
  console.log(`${shown(output)} is up to date`);
} else {
  build();
  console.log(`${shown(output)} built`);
}

function build() {
  const compiler = process.env.CC || "cc";
  const temporary = `${output}.${process.pid}`;
  mkdirSync(dirname(output), { recursive: true });
  const result = spawnSync(
    compiler,
    [
      ...["-std=c11", "-D_GNU_SOURCE", "-DNAPI_VERSION=8"],
      ...["-g", "-fPIC", "-fvisibility=hidden", "-shared", "-Wall", "-Wextra", "-Werror"],
      ...(withSanitizers
        ? [
            "-O1",
            "-fno-omit-frame-pointer",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover",
          ]
        : ["-O2", ...(withFramePointers ? ["-fno-omit-frame-pointer"] : [])]),
      ...["-isystem", headers(), "-o", temporary],
      ...sources.filter((file) => file.endsWith(".c")),
    ],
    { stdio: "inherit" },
  );
  if (result.error) {
    fail(
      `cannot run the C compiler "${compiler}" (${result.error.message}): ` +
        "install gcc (Debian, Ubuntu: apt-get install gcc libc6-dev) or name another one in CC",
    );
  }
  if (result.status !== 0) fail(`"${compiler}" failed; its messages are above`);
  // Renamed, not overwritten: a running process may have the old file mapped.
  renameSync(temporary, output);
}

/** The folder with node_api.h and uv.h. */
function headers() {
  const prefix = join(dirname(process.execPath), "..");
  const candidates = [
    join(prefix, "include/node"),
    ...(process.config.variables.nodedir
      ? [join(process.config.variables.nodedir, "include/node")]
      : []),
    ...(process.env.npm_config_nodedir
      ? [join(process.env.npm_config_nodedir, "include/node")]
      : []),
    "/usr/include/node",
    "/usr/include/nodejs/src",
    "/usr/include/nodejs",
  ];
  const found = candidates.find(
    (folder) =>
      existsSync(join(folder, "node_api.h")) &&
      (existsSync(join(folder, "uv.h")) || existsSync("/usr/include/uv.h")),
  );
  return (
    found ??
    fail(
      `no folder with node_api.h and uv.h among ${candidates.join(", ")}: ` +
        "install the headers of this node (Debian, Ubuntu: apt-get install libnode-dev; " +
        "archives from nodejs.org have them in include/node)",
    )
  );
}

function isUpToDate() {
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  return [...sources, fileURLToPath(import.meta.url), process.execPath].every(
    (file) => statSync(file).mtimeMs <= built,
  );
}

function filesIn(folder) {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

function shown(file) {
  return relative(process.cwd(), file);
}

function fail(reason) {
  console.error(`native/build.mjs: ${reason}`);
  process.exit(1);
}
