/** Where service files are looked for, and the one directory that is made. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  createTransientDirectory,
  transientServiceDirectory,
} from "../../compat/dbus-daemon/service-directories.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-services-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the transient directory is created, private, below the runtime directory", () => {
  const path = transientServiceDirectory({ XDG_RUNTIME_DIR: folder }) ?? "";
  expect(createTransientDirectory(path)).toBeNull();
  expect(createTransientDirectory(path)).toBeNull();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(transientServiceDirectory({})).toBeNull();
});

test("a transient directory that others could write is not used", () => {
  const runtime = join(folder, "open");
  mkdirSync(runtime);
  symlinkSync(folder, join(folder, "link"));
  expect(createTransientDirectory(join(folder, "link/dbus-1/services"))).toMatch(/not a directory/);
  mkdirSync(join(runtime, "dbus-1"));
  chmodSync(join(runtime, "dbus-1"), 0o777);
  expect(createTransientDirectory(join(runtime, "dbus-1/services"))).toMatch(/by others/);
});
