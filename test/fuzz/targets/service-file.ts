/** Target: service files, and the command lines in them. */

import { isDeepStrictEqual } from "node:util";
import { parseCommandLine } from "../../../bus/activation/command-line.ts";
import {
  parseServiceFile,
  type ServiceFile,
  type ServiceFileProblem,
} from "../../../bus/activation/service-file.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { mutateLines } from "../mutate-lines.ts";
import type { Random } from "../random.ts";
import { must, type Target } from "../target.ts";

const MAXIMUM_BYTES = 4000;
const SECTION = "[D-BUS Service]";
const LINES = [
  ...[SECTION, "[Other]", "[]", "[a", "Name=a.b", "Name=c.d", "Name = a.b ", "Name=", "Name=:1.5"],
  ...["Exec=/bin/a b 'c d' \"e\\\\\\$\" f\\\\ g # h", "Exec='", "Exec=", "User=root", "User[de]=x"],
  ...["SystemdService=a.service", "# comment", "", "  ", "X-Key=\\s\\t\\n\\r\\\\", "Key=\\q", "=x"],
];
const WORDS = [
  ..."Name,Exec,User,SystemdService,=, = ,[,],\\,\\s,\\n,\\\\,',\",#, ,\t,\r,\r\n,\n,a.b,$,`".split(
    ",",
  ),
  "\0",
  "\xc3\xa9",
  SECTION,
  "\nName=a.b\nExec=x\n",
];
const NAME = /^[A-Za-z_-][A-Za-z0-9_-]*(\.[A-Za-z_-][A-Za-z0-9_-]*)+$/;
const ESCAPES: Readonly<Record<string, string>> = { s: " ", t: "\t", n: "\n", r: "\r", "\\": "\\" };

export function serviceFileTarget(): Target {
  return {
    maximumBytes: MAXIMUM_BYTES,
    work: { fixed: 5000, perByte: 400 },
    mutate,
    run: (input) => run(Buffer.from(input).toString("utf8")),
  };
}

function mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  return random.below(2) === 0
    ? mutateBytes(input, other, random, WORDS, MAXIMUM_BYTES)
    : mutateLines(input, other, random, (chance) => chance.pick(LINES), WORDS, MAXIMUM_BYTES);
}

function run(text: string): void {
  const parsed = parseServiceFile(text);
  const below = parseServiceFile(`# a comment\n${text}`);
  if ("line" in parsed) mustPointAtIt(text, parsed, below);
  else {
    must(isDeepStrictEqual(below, parsed), "a comment in front makes it another service");
    const read = plainlyRead(text);
    must(
      isDeepStrictEqual(parsed, read),
      `${JSON.stringify(parsed)} is not ${JSON.stringify(read)}`,
    );
    mustSplit(parsed.exec);
  }
  mustSplit(text);
}

/** The line is the first that is wrong: nothing after it matters, mostly, and a line before moves it. */
function mustPointAtIt(
  text: string,
  { line, text: words }: ServiceFileProblem,
  below: ServiceFile | ServiceFileProblem,
): void {
  const lines = text.split(/\r\n|\n|\r/);
  must(
    words !== "" && line >= 0 && line <= lines.length,
    `line ${line} of ${lines.length}: ${words}`,
  );
  must("line" in below && below.text === words, "a comment in front makes it another problem");
  must(below.line === (line === 0 ? 0 : line + 1), `one line further down it is in ${below.line}`);
  if (line === 0 || words.includes("is not a well-known bus name")) return;
  // Whether blanks that a CR alone ends are a line is said by what follows.
  if (!/^[ \t\f]*$/.test(lines[line - 1] ?? "")) {
    const ending = parseServiceFile(lines.slice(0, line).join("\n"));
    must(
      "line" in ending && ending.line === line,
      `without the rest of the file, line ${line} is right`,
    );
  }
  const before = parseServiceFile(lines.slice(0, line - 1).join("\n"));
  const isRight = !("line" in before) || before.line === 0 || before.text.includes("bus name");
  must(isRight, `there is a problem before line ${line}`);
}

/** What a file that is right says, as the specification of desktop files has it. */
function plainlyRead(text: string): ServiceFile {
  const lines = text.split(/\r\n|\n|\r/);
  const from = lines.indexOf(SECTION) + 1;
  const length = lines.slice(from).findIndex((line) => line.startsWith("["));
  const section = lines.slice(from, length < 0 ? undefined : from + length);
  const value = (key: string): string | null => {
    const line = section.find((one) => new RegExp(`^${key} *=`).test(one));
    if (line === undefined) return null;
    const raw = line.slice(line.indexOf("=") + 1).replace(/^ */, "");
    return raw.replace(/\\(.)/g, (_all, code) => ESCAPES[code] ?? "?");
  };
  const name = value("Name") ?? "";
  must(NAME.test(name), `${name} is no name`);
  return {
    name,
    exec: value("Exec") ?? "",
    user: value("User"),
    systemdService: value("SystemdService"),
  };
}

/** Words are themselves again, however they are quoted. */
function mustSplit(text: string): void {
  const words = parseCommandLine(text);
  if ("problem" in words) {
    must(words.problem !== "" && /['"\\#]/.test(text), `${text} has nothing to be closed`);
    return;
  }
  for (const quote of [inApostrophes, inQuotes, withBackslashes]) {
    const again = parseCommandLine(words.map(quote).join(" "));
    must(
      isDeepStrictEqual(again, words),
      `${JSON.stringify(words)} become ${JSON.stringify(again)}`,
    );
  }
  const shorter = parseCommandLine(`word ${text}`);
  must(
    isDeepStrictEqual(shorter, ["word", ...words]),
    `a word in front changes ${words.join("|")}`,
  );
}

function inApostrophes(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function inQuotes(word: string): string {
  return `"${word.replace(/["\\$`]/g, "\\$&")}"`;
}

/** An empty word and a line feed cannot be written so. */
function withBackslashes(word: string): string {
  return word === "" ? "''" : word.replace(/[^\n]/g, "\\$&").replaceAll("\n", "'\n'");
}
