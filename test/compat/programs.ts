/** Tests that need a program from outside: they fail, or say that they are not run, when it is missing. */

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "@jest/globals";

/**
 * Defines a test that needs `program`, a name looked up in PATH or an absolute path of a file or folder.
 * Without it the test fails when ONEHOP_REQUIRE_PEERS is 1, and otherwise says that it did not run.
 */
export function testWithProgram(
  program: string,
  name: string,
  body: () => void | Promise<void>,
): void {
  const folders = program.startsWith("/") ? [""] : (process.env["PATH"] ?? "").split(delimiter);
  if (folders.some((folder) => existsSync(join(folder, program)))) {
    test(name, body);
    return;
  }
  test(`${name} (needs ${program})`, () => {
    const text = `${program} is not installed`;
    if (process.env["ONEHOP_REQUIRE_PEERS"] === "1") throw new Error(text);
    console.warn(`not run: ${text}`);
  });
}
