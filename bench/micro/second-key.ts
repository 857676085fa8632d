/** Match rules that agree in all that is hashed and differ in one key more: what a hostile subscriber asks for. */

import { bench, do_not_optimize, run } from "mitata";
import { type MatchRule, matchRule } from "../../matchrules/rule.ts";
import { SubscriptionIndex } from "../../matchrules/subscription-index.ts";
import { Arguments } from "../../wire/args.ts";
import { Header } from "../../wire/header.ts";
import { Strings } from "../../wire/intern.ts";
import { Memory } from "../../wire/memory.ts";
import { signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";

const NOBODY = new Int32Array(0);

const kinds: readonly (readonly [name: string, rule: (i: number) => Partial<MatchRule>])[] = [
  ["arg0path and path_namespace", (i) => ({ args: [path(0, "/a/")], pathNamespace: `/n${i}` })],
  ["arg0path and arg1path", (i) => ({ args: [path(0, "/a/"), path(1, `/n${i}/`)] })],
];

function path(index: number, value: string): MatchRule["args"][number] {
  return { index, kind: "path", value };
}

for (const [name, rule] of kinds) {
  for (const count of [10, 1000, 100_000]) {
    const strings = new Strings();
    const index = new SubscriptionIndex(strings);
    for (let i = 0; i < count; i++) index.add(i % 100, matchRule(rule(i)));
    const message = signal({
      ...{ path: "/n7/below", interface: "org.example.I", member: "M" },
      ...{ signature: "ss", body: ["/a/b", "/n7/"] },
    });
    const memory = Memory.of(encodeMessage(message, 1));
    const header = new Header(memory);
    header.parse(strings, memory, 0);
    const args = new Arguments(header);
    bench(`${name}: one message, ${count} rules`, () => {
      args.begin(header);
      do_not_optimize(index.match(header, args, NOBODY, 0, false, NOBODY, 0));
    });
  }
}

run({ colors: process.stdout.isTTY === true });
