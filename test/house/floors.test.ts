/**
 * A room imports only the rooms its tsconfig references, and never from inside their folders; but the bench measures
 * what lies inside, too.
 */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "@jest/globals";

const house = join(import.meta.dirname, "../..");
const files = readdirSync(house, { recursive: true, encoding: "utf8" }).filter(
  (file) => !/(^|\/)(node_modules|dist|\.git)\//.test(file),
);
const rooms = files
  .filter((file) => file.endsWith("/tsconfig.json"))
  .map((file) => dirname(file))
  .sort((a, b) => b.length - a.length);

test.each(rooms)("%s stands on its floor", (room) => {
  const allowed = [room, ...references(room)];
  expect(imports(room).filter((target) => !opens(target, room, allowed))).toEqual([]);
});

test("there are rooms, and they import each other", () => {
  expect(rooms.length).toBeGreaterThan(8);
  expect(imports("bus").length).toBeGreaterThan(20);
});

test("no library file awaits at the top level, so that require() can load it", () => {
  const library = rooms.filter((room) => !["test", "bench", "examples"].includes(room));
  const awaiting = files.filter(
    (file) =>
      file.endsWith(".ts") &&
      library.includes(roomOf(file)) &&
      /^(const .* = )?await /m.test(readFileSync(join(house, file), "utf8")),
  );
  expect(awaiting).toEqual([]);
});

function opens(target: string, room: string, allowed: string[]): boolean {
  const other = roomOf(target);
  const isOpen = dirname(target) === other || room === "bench";
  return other === room || room === "test" || (allowed.includes(other) && isOpen);
}

function imports(room: string): string[] {
  return files
    .filter((file) => file.endsWith(".ts") && roomOf(file) === room)
    .flatMap((file) =>
      [
        ...readFileSync(join(house, file), "utf8").matchAll(/\b(?:from|import\()\s*"(\.[^"]+)"/g),
      ].map(([, target]) => relative(house, join(house, dirname(file), target ?? ""))),
    );
}

function references(room: string): string[] {
  const config = JSON.parse(readFileSync(join(house, room, "tsconfig.json"), "utf8"));
  return (config.references ?? []).map((reference: { path: string }) => join(room, reference.path));
}

function roomOf(file: string): string {
  return rooms.find((room) => file.startsWith(`${room}/`)) ?? "";
}
