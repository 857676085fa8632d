/** Which names the files in some directories make activatable, and how changes are noticed. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceDirectories } from "../../../bus/activation/service-directories.ts";

let folder = "";
let told: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-services-"));
  told = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, name: string, exec = "/bin/true"): void {
  writeFileSync(join(folder, path), `[D-BUS Service]\nName=${name}\nExec=${exec}\n`);
}

function directories(...paths: string[]): ServiceDirectories {
  const found = new ServiceDirectories(({ text }) => told.push(text.replaceAll(folder, "")));
  found.use(paths.map((path) => ({ path: join(folder, path) })));
  return found;
}

test("names come once, in the order of the directories; other files do not count", () => {
  mkdirSync(join(folder, "one"));
  mkdirSync(join(folder, "two"));
  write("one/z.service", "com.example.Z");
  write("one/b.service", "com.example.B", "/bin/first");
  write("one/c.conf", "com.example.C");
  write("two/b.service", "com.example.B", "/bin/second");
  write("two/a.service", "com.example.A");
  const found = directories("none", "one", "two");
  expect(found.names()).toEqual(["com.example.B", "com.example.Z", "com.example.A"]);
  expect(found.find("com.example.B")?.exec).toBe("/bin/first");
  expect(found.find("com.example.C")).toBeNull();
  expect(told).toEqual([]);
});

test("a file that comes, changes in place and goes is noticed", () => {
  const found = directories("");
  write("a.service", "com.example.A", "/bin/one");
  expect(found.find("com.example.A")?.exec).toBe("/bin/one");
  write("a.service", "com.example.A", "/bin/other");
  expect(found.find("com.example.A")?.exec).toBe("/bin/other");
  expect(found.takeChange()).toBe(true);
  expect(found.takeChange()).toBe(false);
  rmSync(join(folder, "a.service"));
  expect(found.find("com.example.A")).toBeNull();
  expect(found.takeChange()).toBe(true);
});

test("when the file that counted goes, the next one for its name does", () => {
  mkdirSync(join(folder, "two"));
  write("a.service", "com.example.A", "/bin/first");
  write("two/a.service", "com.example.A", "/bin/second");
  const found = directories("", "two");
  expect(found.find("com.example.A")?.exec).toBe("/bin/first");
  rmSync(join(folder, "a.service"));
  expect(found.find("com.example.A")?.exec).toBe("/bin/second");
});

test("a file that is wrong is told with its line, once, and the others count", () => {
  writeFileSync(join(folder, "bad.service"), "[D-BUS Service]\nName=a.b\nwhat\n");
  writeFileSync(
    join(folder, "bytes.service"),
    Buffer.from("[D-BUS Service]\nName=\xff\n", "latin1"),
  );
  writeFileSync(join(folder, "large.service"), "#".repeat(200_000));
  mkdirSync(join(folder, "folder.service"));
  write("good.service", "com.example.Good");
  write("later.service", "com.example.Good");
  const found = directories("");
  expect(found.takeChange()).toBe(true);
  found.takeChange();
  expect(found.names()).toEqual(["com.example.Good"]);
  expect(told).toEqual([
    '/bad.service:3: there is no "=" after the key "what"; the file does not count',
    "/bytes.service:2: it is not UTF-8; the file does not count",
    expect.stringMatching(/^\/folder.service: /),
    "/large.service: it has 200000 bytes, more than 131072; the file does not count",
    expect.stringMatching(
      /^\/later.service: it is another one for com.example.Good; .*good.service counts/,
    ),
  ]);
});

test("a named pipe is not waited for", () => {
  expect(spawnSync("mkfifo", [join(folder, "pipe.service")]).status).toBe(0);
  expect(directories("").names()).toEqual([]);
  expect(told).toEqual(["/pipe.service: it is not a regular file; the file does not count"]);
});

test("where files have to be called like their names, others do not count", () => {
  write("com.example.A.service", "com.example.A");
  write("b.service", "com.example.B");
  const found = new ServiceDirectories(({ text }) => told.push(text));
  found.use([{ path: folder, mustMatchNames: true }]);
  expect(found.names()).toEqual(["com.example.A"]);
  expect(told).toEqual([expect.stringContaining("should have been named com.example.B.service")]);
});

test("where a helper looks for files by their names, others are told and count for systemd", () => {
  write("com.example.A.service", "com.example.A");
  write("b.service", "com.example.B");
  const found = new ServiceDirectories(({ text }) => told.push(text.replaceAll(folder, "")));
  found.use([{ path: folder }], true);
  expect(found.names()).toEqual(["com.example.B", "com.example.A"]);
  expect(told).toEqual([
    "/b.service: it should have been named com.example.B.service: the helper does not find it",
  ]);
});
