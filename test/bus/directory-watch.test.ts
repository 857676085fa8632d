/** Changes in directories are noticed, in those too that are made later, moved away or made again. */

import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { DirectoryWatch } from "../../bus/directory-watch.ts";

let folder = "";
let watch: DirectoryWatch | null = null;
let wake = (): void => {};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-watch-"));
  watch = new DirectoryWatch(() => wake());
});
afterEach(() => {
  watch?.stop();
  rmSync(folder, { recursive: true });
});

/** Does something and waits until it has been noticed. */
async function noticed(act: () => void): Promise<void> {
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  act();
  await woken;
}

test("files that come, change and go are noticed", async () => {
  const file = join(folder, "a.service");
  watch?.use([folder]);
  await noticed(() => writeFileSync(file, "one"));
  await noticed(() => writeFileSync(file, "two"));
  await noticed(() => renameSync(file, join(folder, "b.service")));
  await noticed(() => rmSync(join(folder, "b.service")));
});

test("a directory that is made later, with those above it, is watched from then on", async () => {
  const directory = join(folder, "dbus-1/services");
  watch?.use([directory]);
  await noticed(() => mkdirSync(join(folder, "dbus-1")));
  await noticed(() => mkdirSync(directory));
  await noticed(() => writeFileSync(join(directory, "a.service"), ""));
});

test("a directory that is replaced is watched still", async () => {
  const directory = join(folder, "services");
  mkdirSync(directory);
  watch?.use([directory]);
  await noticed(() => rmSync(directory, { recursive: true }));
  await noticed(() => mkdirSync(directory));
  await noticed(() => writeFileSync(join(directory, "a.service"), ""));
});

test("neighbours of a directory that is missing are none of its business", async () => {
  let count = 0;
  const missing = new DirectoryWatch(() => count++);
  missing.use([join(folder, "services")]);
  watch?.use([folder]);
  await noticed(() => writeFileSync(join(folder, "neighbour"), ""));
  await noticed(() => writeFileSync(join(folder, "neighbour"), "changed"));
  missing.stop();
  expect(count).toBe(0);
});

test("what is not watched any more is not noticed", async () => {
  let count = 0;
  const before = new DirectoryWatch(() => count++);
  before.use([folder]);
  before.use([]);
  watch?.use([folder]);
  await noticed(() => writeFileSync(join(folder, "a.service"), ""));
  await noticed(() => writeFileSync(join(folder, "b.service"), ""));
  before.stop();
  expect(count).toBe(0);
});
