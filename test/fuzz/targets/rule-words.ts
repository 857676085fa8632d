/** What rules and the messages that they are about are made of: few names, so that they meet. */

import type { Random } from "../random.ts";

export const UNIQUE_NAMES: readonly string[] = [":1.1", ":1.2", ":1.3"];
export const WELL_KNOWN_NAMES: readonly string[] = ["a.b", "a.b.c", "d.e"];
export const DRIVER = "org.freedesktop.DBus";
export const INTERFACES: readonly string[] = ["i.a", "i.b", DRIVER];
export const MEMBERS: readonly string[] = ["M", "N"];
export const PATHS: readonly string[] = ["/", "/a", "/ab", "/a/b", "/a/b/c", "/d"];
export const TEXTS: readonly string[] = [
  ...",/,/a,/a/,/a/b,/a/b/,/ab/,a,a.,a.b,a.b.c,ab.c,:1,:1.1,é".split(","),
  `${"/x".repeat(20)}/`,
  `${"/x".repeat(20)}/y`,
];
const NAMESPACES = ["a", "a.b", "a.b.c", "ab", "d.e"];

export const RULE_WORDS: readonly string[] = [
  ..."type,sender,interface,member,path,path_namespace,destination,eavesdrop,arg,arg0".split(","),
  ..."arg63,arg64,arg010,arg0x1f,arg-1,arg0path,arg1path,arg0namespace,arg1namespace".split(","),
  ..."signal,method_call,method_return,error,true,false,=,=',',\\,\\', ,\t,\n".split(","),
  ",",
  "',",
  "'\\''",
  "\xc3\xa9",
  "18446744073709551615",
  ...UNIQUE_NAMES,
  ...WELL_KNOWN_NAMES,
  ...INTERFACES,
  ...MEMBERS,
  ...PATHS,
];

/** A rule's text, nearly always valid. */
export function randomRule(random: Random): string {
  const keys: string[] = [];
  const maybe = (oneIn: number, key: string, values: readonly string[]): void => {
    if (random.below(oneIn) === 0) keys.push(`${key}='${random.pick(values)}'`);
  };
  maybe(2, "type", ["signal", "signal", "method_call", "method_return", "error"]);
  maybe(4, "sender", [...UNIQUE_NAMES, ...WELL_KNOWN_NAMES, DRIVER]);
  maybe(3, "interface", INTERFACES);
  maybe(3, "member", MEMBERS);
  maybe(2, random.pick(["path", "path_namespace"]), PATHS);
  maybe(8, "destination", [...UNIQUE_NAMES, ...WELL_KNOWN_NAMES]);
  const index = random.pick([0, 0, 0, 1, 2, 31, 32, 63]);
  maybe(2, `arg${index}${random.pick(["", "path"])}`, TEXTS);
  if (index !== 0) maybe(3, "arg0namespace", NAMESPACES);
  if (index !== 1) maybe(4, "arg1path", TEXTS);
  maybe(5, "eavesdrop", ["true", "true", "false"]);
  return keys.sort(() => random() - 0.5).join(",");
}
