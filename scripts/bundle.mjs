/**
 * Makes the bundle of `onehop-dbus-daemon` from what `tsc -b` has built (docs/decisions/0016-bundled-daemon.md):
 *
 *     dist/onehop-dbus-daemon.cjs      the program: scripts/bundle/entry.cjs with its constants
 *     dist/bundle/daemon-HASH.js       all its modules as one script
 *     dist/bundle/daemon-HASH.cache    that script as the V8 of this Node compiled it
 *     dist/bundle/daemon.json          what it was made from: nothing is done while that is the same
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const folder = join(dist, "bundle");
const main = "compat/dbus-daemon/main.js";
const entry = join(dist, "onehop-dbus-daemon.cjs");
const record = join(folder, "daemon.json");
/** Needed by every start, or by hot paths, which must not ask each time; other modules of Node load when they are used. */
const eagerModules = ["node:buffer", "node:fs", "node:path"];
const recipe = [
  join(root, "package.json"),
  ...["bundle.mjs", "bundle/entry.cjs", "bundle/warm.cjs"].map((file) =>
    join(import.meta.dirname, file),
  ),
];

// The entry compares its time with the compiler's records. What the compiler writes meanwhile must be newer; what
// it found unchanged must not.
const begun = new Date();
if (!isUpToDate()) await build();
utimesSync(entry, begun, begun);

function isUpToDate() {
  if (!existsSync(entry) || !existsSync(record)) return false;
  const { inputs, fingerprint } = JSON.parse(readFileSync(record, "utf8"));
  return fingerprint === fingerprintOf(inputs);
}

function fingerprintOf(inputs) {
  const hash = createHash("sha256").update(`${process.version} ${process.arch}`);
  for (const file of [...recipe, ...inputs.map((input) => join(root, input))]) {
    hash.update(`\n${file}\n`).update(existsSync(file) ? readFileSync(file) : "");
  }
  return hash.digest("hex");
}

async function build() {
  const { text, inputs } = await bundleText();
  const name = `daemon-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  const [script, cache] = [`bundle/${name}.js`, `bundle/${name}.cache`];
  mkdirSync(folder, { recursive: true });
  place(join(dist, script), (file) => writeFileSync(file, text));
  const isWarm = place(join(dist, cache), (file) => warm(join(dist, script), file));
  const constants = {
    script,
    cache,
    v8: isWarm ? `${process.versions.v8} ${process.arch}` : null,
    rooms: roomsOf(inputs),
    main,
  };
  const template = readFileSync(join(import.meta.dirname, "bundle/entry.cjs"), "utf8");
  // Without a cache the next build tries again: the addon may be there by then.
  const fingerprint = isWarm ? fingerprintOf(inputs) : null;
  place(record, (file) => writeFileSync(file, JSON.stringify({ fingerprint, inputs })));
  place(entry, (file) =>
    writeFileSync(
      file,
      template.replace('"constants of the bundle"', JSON.stringify(constants, null, 2)),
    ),
  );
  for (const file of readdirSync(folder)) {
    if (/\.(js|cache)$/.test(file) && !file.startsWith(name)) rmSync(join(folder, file));
  }
}

/** All modules as one script: a function of what Node gives to CommonJS modules. */
async function bundleText() {
  // Not at the top: most builds have nothing to bundle.
  const [{ rollup }, { default: commonjs }, { transform }] = await Promise.all([
    import("@rollup/wasm-node"),
    import("@rollup/plugin-commonjs"),
    import("@swc/core"),
  ]);
  const bundle = await rollup({
    input: join(dist, main),
    external: /^node:/,
    plugins: [packages(), commonjs()],
    onwarn: ({ message }) => {
      throw new Error(message);
    },
  });
  const { output } = await bundle.generate({ format: "es", inlineDynamicImports: true });
  const [{ code, imports }] = output;
  await bundle.close();
  const { code: text } = await transform(code.replace(/^#!.*/, ""), {
    configFile: false,
    swcrc: false,
    jsc: {
      target: "es2023",
      minify: {
        compress: false,
        mangle: false,
        format: { comments: false, beautify: true, asciiOnly: true },
      },
    },
    module: {
      type: "commonjs",
      noInterop: true,
      lazy: imports.filter((name) => !eagerModules.includes(name)),
    },
  });
  return {
    text: `(function (exports, require, module, __filename, __dirname) {${text}\n})`,
    inputs: bundle.watchFiles.map((file) => relative(root, file)).sort(),
  };
}

/** Finds packages as Node finds them from the file that imports them. */
function packages() {
  return {
    name: "packages",
    resolveId: (id, importer) =>
      /^[./\0]/.test(id) || importer === undefined ? null : createRequire(importer).resolve(id),
  };
}

/** The compiler's records of the rooms that are in the bundle: newer ones mean newer modules. */
function roomsOf(inputs) {
  const rooms = new Set();
  for (const input of inputs.filter((file) => file.startsWith("dist/"))) {
    let room = dirname(input);
    while (!existsSync(join(root, room, "tsconfig.tsbuildinfo"))) room = dirname(room);
    rooms.add(relative("dist", join(room, "tsconfig.tsbuildinfo")));
  }
  return [...rooms].sort();
}

/** Writes the cache to `file`; without one the program works all the same, and starts a little later. */
function warm(script, file) {
  const program = join(import.meta.dirname, "bundle/warm.cjs");
  const { status, stderr } = spawnSync(process.execPath, [program, script, entry, file], {
    encoding: "utf8",
    timeout: 30_000,
  });
  if (status !== 0) console.error(`bundle: there will be no code cache: ${stderr.trim()}`);
  return status === 0;
}

/** Puts a file into place whole: somebody may be starting the program. `write` may return that there is none. */
function place(file, write) {
  const fresh = `${file}.${process.pid}`;
  const isThere = write(fresh) !== false;
  if (isThere) renameSync(fresh, file);
  return isThere;
}
