/** Which names service files make activatable. */

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  createTransientDirectory,
  parseServiceName,
  ServiceNames,
  transientServiceDirectory,
} from "../../compat/dbus-daemon/service-directories.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-services-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, name: string): void {
  writeFileSync(join(folder, path), `[D-BUS Service]\nName=${name}\nExec=/bin/true\n`);
}

test.each([
  ["[D-BUS Service]\nName=a.b\nExec=/bin/x", "a.b"],
  ["# comment\n\n[Other]\nName=x.y\n[D-BUS Service]\r\n Name = a.b \r\nExec=/bin/x\n", "a.b"],
  ["[D-BUS Service]\nExec=x\nName=a.b\nSystemdService=a.service\n", "a.b"],
  ["[D-BUS Service]\nName=a.b\n", null],
  ["Name=a.b\nExec=x\n", null],
  ["[D-BUS Service]\nName=:1.5\nExec=x", null],
  ["[D-BUS Service]\nName=nodots\nExec=x", null],
  ["[D-BUS Service]\n#Name=a.b\nExec=x", null],
])("%j names %j", (text, name) => {
  expect(parseServiceName(text)).toBe(name);
});

test("names come once, in the order of the directories; other files do not count", () => {
  mkdirSync(join(folder, "one"));
  mkdirSync(join(folder, "two"));
  write("one/z.service", "com.example.Z");
  write("one/b.service", "com.example.B");
  write("one/c.conf", "com.example.C");
  write("two/b.service", "com.example.B");
  write("two/a.service", "com.example.A");
  const names = new ServiceNames([join(folder, "none"), join(folder, "one"), join(folder, "two")]);
  expect(names.list()).toEqual(["com.example.B", "com.example.Z", "com.example.A"]);
});

test("a file that comes is noticed, and one changed in place after forget", () => {
  write("a.service", "com.example.A");
  const names = new ServiceNames([folder]);
  expect(names.list()).toEqual(["com.example.A"]);
  write("b.service", "com.example.B");
  // The clock of file times is coarse; what matters is that the directory's time has changed.
  utimesSync(folder, new Date(), new Date(statSync(folder).mtimeMs + 1000));
  expect(names.list()).toEqual(["com.example.A", "com.example.B"]);
  write("b.service", "com.example.Changed");
  names.forget([folder]);
  expect(names.list()).toEqual(["com.example.A", "com.example.Changed"]);
});

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
