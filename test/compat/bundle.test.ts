/** The program that is started is a bundle, and never an old one. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { builtProgram } from "./daemon-process.ts";

const house = join(import.meta.dirname, "../..");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-bundle-"));
  cpSync(join(house, "package.json"), join(folder, "package.json"));
  for (const part of ["onehop-dbus-daemon.cjs", "bundle"]) {
    cpSync(builtProgram(part), join(folder, "dist", part), { recursive: true });
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

function run(words: readonly string[], options: readonly string[] = []): string {
  const program = join(folder, "dist/onehop-dbus-daemon.cjs");
  return execFileSync(process.execPath, [...options, program, ...words], { encoding: "utf8" });
}

function write(path: string, text: string, ageMs: number): void {
  const file = join(folder, "dist", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  const changed = new Date(Date.now() - ageMs);
  utimesSync(file, changed, changed);
}

test("it needs no modules beside it", () => {
  expect(run(["--version"])).toMatch(/^D-Bus Message Bus Daemon \(onehop\) \d/);
  expect(run(["--introspect"])).toContain("org.freedesktop.DBus");
});

test("it works under options of V8 that its code cache was not made for", () => {
  expect(run(["--version"], ["--stack-size=900"])).toMatch(/^D-Bus Message Bus Daemon/);
});

test("modules that were built after it are started instead of it", () => {
  write("compat/dbus-daemon/main.js", 'console.log("the modules");', 0);
  write("wire/tsconfig.tsbuildinfo", "", 3_600_000);
  expect(run(["--version"])).toMatch(/^D-Bus Message Bus Daemon/);
  write("wire/tsconfig.tsbuildinfo", "", -3_600_000);
  expect(run(["--version"])).toBe("the modules\n");
});
