/** What perf prints, as stacks. */

import { expect, test } from "@jest/globals";
import { type Frame, foldStacks } from "../../bench/folded-stacks.ts";

const MAP = "(/tmp/perf-77.map)";
const BUNDLE = "/home/me/my tree/dist/bundle/daemon-0a1b2c3d4e5f.js";

/** A sample as perf prints it: innermost frame first. */
function sample(...frames: string[]): string {
  return `node \n${frames.map((frame) => `\t${frame}\n`).join("")}\n`;
}

/** The frame that perf prints so. */
function frameOf(line: string): Frame | undefined {
  return foldStacks(sample(line))[0]?.frames[1];
}

test("equal stacks are counted, outermost frame first, on their thread", () => {
  const [inner, outer] = ["55d0 inner (/usr/bin/node)", "55d1 outer (/usr/bin/node)"];
  const folded = foldStacks(
    sample(inner, outer) + sample(outer) + sample("  55d8 inner (/usr/bin/node)", outer),
  );
  const shown = folded.map(({ frames, samples }) => [...frames.map(({ name }) => name), samples]);
  expect(shown).toEqual([
    ["node", "outer", "inner", 2],
    ["node", "outer", 1],
  ]);
});

test.each([
  ["LazyCompile:*dispatch", "dispatch", "optimised"],
  ["JS:^get size", "get size", "baseline"],
  ["JS:~", "(anonymous)", "interpreted"],
  ["Function:+#read", "#read", "optimised"],
  ["JS:plain", "plain", null],
])("%s is a function of onehop, without the folders of the machine", (symbol, name, tier) => {
  expect(frameOf(`7f00 ${symbol} ${BUNDLE}:123:4 ${MAP}`)).toEqual({
    ...{ kind: "onehop", name, place: "daemon.js:123", tier },
  });
});

test.each([
  ["7f00 JS:emit node:events:466:44 (/tmp/perf-77.map)", "node", "emit", "node:events:466"],
  ["7f00 Builtin:Foo (/tmp/perf-77.map)", "native", "Builtin:Foo", "generated code"],
  ["ffffffff91000010 do_syscall_64 ([kernel.kallsyms])", "kernel", "do_syscall_64", "kernel"],
  ["ffffffffc0000010 [unknown] ([unknown])", "kernel", "[unknown]", "kernel"],
  ["7f00 wire_read (/x/native/build/onehop.node)", "addon", "wire_read", "onehop.node"],
  ["7f00 epoll_wait (/lib/libc.so.6 (deleted))", "native", "epoll_wait", "libc.so.6"],
  ["7f00 [unknown] (/lib/libc.so.6)", "native", "[unknown]", "libc.so.6"],
  ["7f00 [unknown] ([unknown])", "native", "[unknown]", ""],
  [
    "55d0 std::vector<int, std::allocator<int> > node::(anonymous namespace)::Make<char>(void (*)(int)) const (/usr/bin/node)",
    ...["native", "node::{anonymous}::Make", "node"],
  ],
  [
    "55d0 v8::internal::Scavenger::Process(v8::JobDelegate*) (/usr/bin/node)",
    ...["v8", "v8::internal::Scavenger::Process", "node"],
  ],
  ["55d0 operator new(unsigned long) (/usr/bin/node)", "native", "operator new", "node"],
])("%s", (line, kind, name, place) => {
  expect(frameOf(line)).toEqual({ kind, name, place, tier: null });
});

test("frames without a name, one after the other, are one", () => {
  const unknown = ["7f01 [unknown] ([unknown])", "7f02 [unknown] (/usr/bin/node)"];
  const [stack] = foldStacks(sample("7f00 read (/lib/libc.so.6)", ...unknown, ...unknown));
  expect(stack?.frames.map((frame) => frame.name)).toEqual(["node", "[unknown]", "read"]);
});

test("no text makes it fail, and no folder gets through", () => {
  const hostile = [
    `7f00 JS:*/home/me/a.js /home/me/b.js:1:1 ${MAP}`,
    `7f00 RegExp:^/home/me/(x|y)$ ${MAP}`,
    "7f00 f(/home/me/x) (/home/me/lib.so)",
    "7f00 /home/me/<a&b>\u0000 (//home/me/x)",
    "7f00 Eval:~ file:///home/me/c.mjs:1:1 (/tmp/perf-1.map)",
    "7f00 ((((<<<< (/home/me/y)",
    "home () )(",
  ];
  const folded = foldStacks(`/home/me/thread\n${hostile.map((line) => ` ${line}\n`).join("")}\n`);
  expect(folded).toHaveLength(1);
  expect(folded[0]?.frames).toHaveLength(7);
  expect(JSON.stringify(folded)).not.toContain("home");
  expect(foldStacks("")).toEqual([]);
});
