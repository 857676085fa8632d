/** Generated rules and messages over alphabets so small that they meet. */

import fc from "fast-check";
import type { DescribedArgument, DescribedMessage } from "../../matchrules/match.ts";
import { type ArgumentKey, type MatchRule, matchRule } from "../../matchrules/rule.ts";
import type { MessageType } from "../../wire/protocol.ts";

const types: readonly MessageType[] = [1, 2, 3, 4];
export const uniqueNames: readonly string[] = [":1.1", ":1.2", ":1.3"];
export const wellKnownNames: readonly string[] = ["a.b", "a.b.c", "d.e"];
const driver = "org.freedesktop.DBus";
const interfaces = ["i.a", "i.b", driver];
const members = ["M", "N"];
const paths = ["/", "/a", "/ab", "/a/b", "/a/b/c", "/d"];
const namespaces = ["a", "a.b", "a.b.c", "ab", ":1", "d.e"];
const strings = [
  "",
  "/",
  "/a",
  "/a/",
  "/a/b",
  "/a/b/",
  "/d/",
  "a",
  "a.",
  "a.b",
  "a.b.c",
  "ab.c",
  "é'\\,",
];
/** So deep that no index will keep all its stems. */
const deep = `${"/x".repeat(40)}/`;

/** `null` two times out of three. */
const rarely = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });
const argumentIndex = fc.constantFrom(0, 0, 0, 1, 1, 2, 5, 31, 32, 63);

const argumentKey: fc.Arbitrary<ArgumentKey> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      index: argumentIndex,
      kind: fc.constant("string" as const),
      value: fc.constantFrom(...strings),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      index: argumentIndex,
      kind: fc.constant("path" as const),
      value: fc.constantFrom(...strings, deep, `${deep}y`),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      index: fc.constant(0),
      kind: fc.constant("namespace" as const),
      value: fc.constantFrom(...namespaces),
    }),
  },
);

const pathKeys: fc.Arbitrary<Pick<MatchRule, "path" | "pathNamespace">> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ path: null, pathNamespace: null }) },
  {
    weight: 2,
    arbitrary: fc.record({ path: fc.constantFrom(...paths), pathNamespace: fc.constant(null) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ path: fc.constant(null), pathNamespace: fc.constantFrom(...paths) }),
  },
);

export const rules: fc.Arbitrary<MatchRule> = fc
  .record({
    type: fc.constantFrom(0 as const, 0 as const, ...types),
    sender: rarely(fc.constantFrom(...uniqueNames, ...wellKnownNames, driver)),
    interface: rarely(fc.constantFrom(...interfaces)),
    member: rarely(fc.constantFrom(...members)),
    paths: pathKeys,
    destination: fc.constantFrom(...uniqueNames, ...wellKnownNames),
    args: fc.uniqueArray(argumentKey, { maxLength: 3, selector: (key) => key.index }),
    eavesdrop: fc.constantFrom(false, false, true),
    keepsDestination: fc.constantFrom(false, false, false, true),
  })
  .map(({ paths: pathPart, keepsDestination, ...rule }) =>
    matchRule({ ...rule, ...pathPart, destination: keepsDestination ? rule.destination : null }),
  );

const argument: fc.Arbitrary<DescribedArgument> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("string" as const),
      value: fc.constantFrom(...strings, deep, `${deep}y/z`),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("path" as const), value: fc.constantFrom(...paths) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "other" as const }) },
);

const args: fc.Arbitrary<DescribedArgument[]> = fc.oneof(
  { weight: 6, arbitrary: fc.array(argument, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(argument, { minLength: 32, maxLength: 66, size: "max" }) },
);

/** Messages as headers have them; who owns what is filled in when they are matched. */
export const messages: fc.Arbitrary<DescribedMessage> = fc
  .record({
    type: fc.constantFrom<number>(1, 2, 3, 4, 4, 4, 4, 4),
    sender: fc.constantFrom(...uniqueNames, driver),
    senderNames: fc.constant([]),
    destination: fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constantFrom(...uniqueNames, ...wellKnownNames, driver) },
    ),
    destinationNames: fc.constant([]),
    path: fc.constantFrom(...paths, "/x/y", `/${"long/".repeat(300)}end`, `/a/${"x".repeat(5000)}`),
    interface: fc.constantFrom(...interfaces, "i.unheard"),
    member: fc.constantFrom(...members, "Unheard"),
    args,
    isBare: fc.boolean(),
  })
  .map(({ isBare, ...message }) => {
    const isReply = message.type === 2 || message.type === 3;
    return isBare && isReply ? { ...message, path: null, interface: null, member: null } : message;
  });

/** Pieces that the parser has an opinion about, in any order. */
const pieces = fc.constantFrom(
  ..."type,sender,interface,member,path,path_namespace,destination,eavesdrop,arg,arg0,arg1,arg63,arg64,arg010,arg0x1f,arg-1,arg0path,arg1path,arg0namespace,arg1namespace,arg0junk,argx,unknown".split(
    ",",
  ),
  ..."signal,method_call,error,bogus,:1.5,org.x.Y,nodots,A,1A,/,/a,/a/,a,true,false,yes,é,x".split(
    ",",
  ),
  "=",
  "=",
  "=",
  "='",
  "'",
  "'",
  "\\",
  "\\'",
  ",",
  ",",
  "',",
  " ",
  "\t",
  "\n",
  "",
);

export const awkwardText: fc.Arbitrary<string> = fc
  .array(pieces, { maxLength: 14 })
  .map((parts) => parts.join(""));
