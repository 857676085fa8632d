/** Where the addon is looked for, and what is said if there is none. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { AddonMissingError, loadAddon } from "../../native/binding.ts";
import { addonFile } from "./rig.ts";

const chosen = process.env["ONEHOP_ADDON"];
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-binding-"));
});

afterEach(() => {
  if (chosen === undefined) delete process.env["ONEHOP_ADDON"];
  else process.env["ONEHOP_ADDON"] = chosen;
  rmSync(folder, { recursive: true });
});

function failure(): AddonMissingError {
  try {
    loadAddon();
  } catch (error) {
    if (error instanceof AddonMissingError) return error;
    throw error;
  }
  throw new Error("the addon was loaded");
}

test("ONEHOP_ADDON names the file to load", () => {
  process.env["ONEHOP_ADDON"] = addonFile;
  expect(typeof loadAddon().closeDescriptor).toBe("function");
});

test("a file is loaded once, however often it is asked for", () => {
  process.env["ONEHOP_ADDON"] = addonFile;
  expect(loadAddon()).toBe(loadAddon());
});

test("ONEHOP_ADDON=none switches it off", () => {
  process.env["ONEHOP_ADDON"] = "none";
  expect(failure().code).toBe("ONEHOP_ADDON_MISSING");
  expect(failure().message).toMatch(/switched off/);
});

test("a file that is no addon is passed over", () => {
  const file = join(folder, "wrong.node");
  writeFileSync(file, "this is no shared object\n");
  process.env["ONEHOP_ADDON"] = file;
  expect(typeof loadAddon().closeDescriptor).toBe("function");
});

test("without any, one line says what was tried and what to do", () => {
  const file = join(folder, "wrong.node");
  writeFileSync(file, "this is no shared object\n");
  // A package without a built addon: the compiled binding alone, in a folder of its own.
  execFileSync(process.execPath, [
    join(import.meta.dirname, "../../node_modules/typescript/bin/tsc"),
    ...["--ignoreConfig", "--noCheck", "--target", "es2023", "--module", "nodenext"],
    ...[
      "--outDir",
      join(folder, "dist/native"),
      join(import.meta.dirname, "../../native/binding.ts"),
    ],
  ]);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const output = execFileSync(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import { loadAddon } from ${JSON.stringify(`file://${folder}/dist/native/binding.js`)};
       try { loadAddon(); } catch (error) { console.log(error.code + " " + error.message); }`,
    ],
    { env: { ...process.env, ONEHOP_ADDON: file }, encoding: "utf8" },
  );
  expect(output.split("\n")).toHaveLength(2);
  expect(output).toMatch(/^ONEHOP_ADDON_MISSING .*wrong\.node \(.+\).*npm run build:native/);
  expect(output).toContain(`${folder}/native/build/onehop.node (not there)`);
  expect(output).toContain(`${folder}/native/prebuilds/linux-${process.arch}/onehop.node`);
});
