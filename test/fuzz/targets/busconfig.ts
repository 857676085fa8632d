/** Target: configuration files, with what they include from a folder. */

import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type LoadResult, loadConfiguration } from "../../../compat/dbus-daemon/config-file.ts";
import type { Problem } from "../../../compat/dbus-daemon/configuration.ts";
import { decodeXml } from "../../../xml/decode.ts";
import { parseXml, type XmlElement } from "../../../xml/parse.ts";
import { escapeAttribute, escapeText } from "../../../xml/write.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { mutateLines } from "../mutate-lines.ts";
import type { Random } from "../random.ts";
import { must, type Target } from "../target.ts";

const MAXIMUM_BYTES = 4000;
const LIMITS = { maxCharacters: 1 << 20, maxDepth: 64, maxEntityCharacters: 1 << 16 };
const security = { selinux: "absent", selinuxRoot: "/none", hasAppArmor: false } as const;
const surroundings = { environment: {}, security };

/** Files that are there, by their names. */
const others: Readonly<Record<string, string>> = {
  "good.conf": "<busconfig><fork/><type>x</type></busconfig>",
  "bad.conf": "<busconfig>\n<bees/></busconfig>",
  "back.conf": "<busconfig>\n<include>a.conf</include></busconfig>",
  "d/1.conf": "<busconfig><include>../bad.conf</include></busconfig>",
  "d/2.conf": "<busconfig>\n<listen>b</listen></busconfig>",
};
const ENTITIES = ["a", "b", "c"];
const FILES = ["good.conf", "bad.conf", "back.conf", "none.conf", "a.conf", "d"];
const LINES = [
  ...[
    "<fork/>",
    "<fork>",
    "</fork>",
    "<type>x</type>",
    "<listen>y</listen>",
    "<auth>EXTERNAL</auth>",
  ],
  ...[
    '<limit name="auth_timeout">5</limit>',
    '<limit name="bees">5</limit>',
    "<!-- x -->",
    "<?x y?>",
  ],
  ...[
    "<selinux><associate own='a' context='b'/></selinux>",
    "<apparmor/>",
    "<includedir>d</includedir>",
  ],
  ...[
    '<policy context="default"><allow own="*"/>',
    "</policy>",
    "<![CDATA[x]]>",
    "<bees/>",
    "&a;",
    "]>",
  ],
  ...[
    "<!DOCTYPE busconfig SYSTEM 'x'>",
    "<!DOCTYPE busconfig [",
    "<busconfig>",
    "</busconfig>",
    "%p;",
  ],
  ...["<!ATTLIST fork x CDATA 'y'>", "<!ATTLIST include ignore_missing (yes|no) 'yes'>"],
];
const WORDS = [
  ..."<,>,&,;,\",',/,=,!,[,],<!--,-->,]]>,<![CDATA[,&#38;,&#60;,&#0;,&lt;,&a;,&b;,%,\t,\n,\0".split(
    ",",
  ),
  ...[
    " ignore_missing='yes'",
    " name='auth_timeout'",
    "<?xml version='1.0'?>",
    "\xc3\xa9",
    "\xff\xfe",
  ],
];

export function busconfigTarget(): Target {
  const folder = mkdtempSync(join(tmpdir(), "onehop-fuzz-busconfig-"));
  for (const [name, content] of Object.entries(others)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  // Making a file anew takes longer than all else.
  const main = openSync(join(folder, "a.conf"), "w");
  return {
    maximumBytes: MAXIMUM_BYTES,
    // What entities stand for comes on top, and is at most so long.
    work: { fixed: 2_000_000, perByte: 1000 },
    mutate,
    run: (input) => run(folder, main, input),
    close: () => {
      closeSync(main);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  return random.below(2) === 0
    ? mutateBytes(input, other, random, WORDS, MAXIMUM_BYTES)
    : mutateLines(input, other, random, newLine, WORDS, MAXIMUM_BYTES);
}

function newLine(random: Random): string {
  switch (random.below(5)) {
    case 0:
      return `<include>${random.pick(FILES)}</include>`;
    case 1:
    case 2: {
      const [name, one, two] = [0, 1, 2].map(() => random.pick(ENTITIES));
      const value = random.pick([`&${one};`, `&${one};&${two};`, "<fork/>", "x", "</a>", "&#38;"]);
      return `<!ENTITY ${name} "${value}">`;
    }
    default:
      return random.pick(LINES);
  }
}

function run(folder: string, main: number, input: Uint8Array): void {
  const result = load(folder, main, input);
  for (const problem of problemsOf(result)) mustBeThere(folder, problem);
  const { text } = decodeXml(input);
  if (text === null) return;
  mustBeTheSame(result, load(folder, main, Buffer.from(`\ufeff${text}`, "utf16le")), 0);
  // A declaration and a mark have to be the first thing.
  if (!/^(?:<\?xml|\ufeff)/.test(text)) {
    mustBeTheSame(result, load(folder, main, Buffer.from(`<!-- -->\n${text}`)), 1);
  }
  const { root } = parseXml(text, LIMITS);
  if (root !== null) mustComeBack(root);
}

function load(folder: string, main: number, bytes: Uint8Array): LoadResult {
  const path = join(folder, "a.conf");
  writeSync(main, bytes, 0, bytes.length, 0);
  ftruncateSync(main, bytes.length);
  return loadConfiguration({ kind: "file", path }, surroundings);
}

function problemsOf({ problem, configuration }: LoadResult): readonly Problem[] {
  return problem === null ? configuration.warnings : [problem];
}

/** It names a line of a file that is there, and says something; so does the way to it. */
function mustBeThere(folder: string, { file, line, text, includedFrom }: Problem): void {
  must(text !== "", "a problem says nothing");
  for (const place of [{ file, line }, ...includedFrom]) {
    if (!place.file.startsWith(folder)) continue;
    const bytes = readFileSync(place.file);
    const lines = (decodeXml(bytes).text ?? bytes.toString("latin1")).split("\n").length;
    must(place.line >= 0 && place.line <= lines, `line ${place.line} of ${lines}: ${text}`);
  }
  must(line > 0 || includedFrom.length === 0, `${text}: no line, and yet the way to it`);
}

/** Written in another way, with everything `further` lines down, it means the same. */
function mustBeTheSame(result: LoadResult, again: LoadResult, further: number): void {
  must(isDeepStrictEqual(valuesOf(result, further), valuesOf(again, 0)), "the values are others");
  const place = (problem: Problem, more: number): string => {
    const { file, line, element, text } = problem;
    const isMoved = !text.includes("nest more than");
    return `${file} ${isMoved ? lineBelow(file, line, more) : line} ${element} ${text}`;
  };
  const told = problemsOf(result).map((problem) => place(problem, further));
  const toldAgain = problemsOf(again).map((problem) => place(problem, 0));
  must(
    isDeepStrictEqual(told, toldAgain),
    `${JSON.stringify(toldAgain)} instead of ${JSON.stringify(told)}`,
  );
}

/** What was read is, written plainly and read again, the same. */
function mustComeBack(root: XmlElement): void {
  const again = parseXml(written(root), LIMITS);
  must(again.problem === null, `written again it is refused: ${again.problem?.message}`);
  must(isDeepStrictEqual(plain(again.root), plain(root)), "written again it is another document");
}

function written({ name, attributes, text, children }: XmlElement): string {
  const words = [...attributes].map(([key, value]) => ` ${key}="${escapeAttribute(value)}"`);
  const content = escapeText(text) + children.map(written).join("");
  return `<${name}${words.join("")}>${content}</${name}>`;
}

function plain({ name, attributes, text, children }: XmlElement): unknown {
  return [name, attributes, text, children.map(plain)];
}

/** What a configuration says, with the places of its rules `further` lines down. */
function valuesOf({ configuration }: LoadResult, further: number): unknown {
  if (configuration === null) return null;
  const { warnings: _, policyRules, ...values } = configuration;
  const rules = policyRules.map((rule) => {
    const { origin } = rule;
    return { ...rule, origin: { ...origin, line: lineBelow(origin.file, origin.line, further) } };
  });
  return { ...values, rules };
}

/** Only the fuzzed file is written anew. */
function lineBelow(file: string, line: number, further: number): number {
  return file.endsWith("a.conf") && line > 0 ? line + further : line;
}
