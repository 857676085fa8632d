import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { PathTree } from "../../matchrules/path-tree.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";

/** As many stems as have nodes, and more than that. */
const deep = `${"/x".repeat(15)}/`;
const deepest = `${"/x".repeat(20)}/`;

const paths = fc.constantFrom(
  "",
  "/",
  "a",
  "a/",
  "/a",
  "/a/",
  "/a/b",
  "/a/b/",
  "//",
  "/é/x/",
  "/é/",
  deep,
  `${deep}a`,
  `${deep}a/`,
  `${deep}a/b`,
  deepest,
  `${deepest}a`,
  `${deepest}a/b/`,
);

test("below a path are all used strings that start with it, but not the path itself", () => {
  fc.assert(
    fc.property(fc.array(paths), fc.array(fc.nat()), (added, removed) => {
      const strings = new Strings();
      const tree = new PathTree(strings);
      const used = [...added];
      for (const path of added) {
        const id = strings.hold(path);
        tree.add(id);
        strings.release(id);
      }
      for (const which of removed) {
        const [path] = used.splice(which % (used.length || 1), 1);
        if (path !== undefined) tree.remove(strings.findText(path));
      }
      for (const above of [
        "/",
        "a/",
        "/a/",
        "/a/b/",
        "//",
        "/é/",
        "/x/",
        deep,
        deepest,
        `${deep}a/`,
        `${deepest}y/`,
      ]) {
        const expected = used.filter((path) => path.startsWith(above) && path !== above);
        expect(below(tree, strings, above)).toEqual([...new Set(expected)].sort());
      }
    }),
    { numRuns: 500 },
  );
});

test("an empty tree holds no strings", () => {
  const strings = new Strings();
  const tree = new PathTree(strings);
  for (const path of ["/a/b/c", "/a/b/", "/a/b/"]) tree.add(strings.hold(path));
  for (const path of ["/a/b/", "/a/b/", "/a/b/c"]) {
    tree.remove(strings.findText(path));
    strings.release(strings.findText(path));
  }
  for (let i = 0; i < 20_000; i++) strings.release(strings.hold(`loose ${i}`));
  strings.sweep();
  expect(strings.size).toBe(0);
});

function below(tree: PathTree, strings: Strings, path: string): string[] {
  const bytes = new TextEncoder().encode(path);
  const found = tree.collect(Memory.of(bytes), 0, bytes.length, new Int32Array(1), 0);
  return Array.from(found.subarray(0, tree.collected), (id) => strings.textOf(id)).sort();
}
