/** The sources as JavaScript that a child process can run: node 20 cannot strip types itself. */

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "@swc/core";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Writes the TypeScript files of these rooms to `directory`, as JavaScript; the addon is linked there. */
export function compileRooms(rooms: readonly string[], directory: string): void {
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  for (const room of rooms) {
    for (const file of readdirSync(join(root, room), { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      const { code } = transformSync(readFileSync(join(root, room, file), "utf8"), {
        jsc: { target: "es2023", parser: { syntax: "typescript" } },
        module: { type: "es6" },
      });
      const target = join(directory, room, file.replace(/\.ts$/, ".js"));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, code.replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
    }
  }
  symlinkSync(join(root, "native/build"), join(directory, "native/build"));
}
