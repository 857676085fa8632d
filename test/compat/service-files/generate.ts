/** Service files of which some are good and many are not, as a seed decides. */

import { generator, type Random } from "../../fuzz/random.ts";

export interface GeneratedFile {
  /** Unlike that of every other file; whether the file ends up with it is another matter. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** `programs`: a folder with one program for each file, called like its name. */
export function generateServiceFiles(
  seed: number,
  count: number,
  programs: string,
): GeneratedFile[] {
  const random = generator(seed);
  return Array.from({ length: count }, (_, index) => {
    const name = `org.example.Case${String(index).padStart(5, "0")}x`;
    return { name, bytes: bytesOf(random, name, `${programs}/${name}`) };
  });
}

const HEADING = "[D-BUS Service]";

/** Words behind the program, as a shell would have them; the file's own escapes come on top. */
const WORDS = [
  ..."a|--flag=1|'b c'|\"d e\"|''|\"\"|x'y'\"z\"|\"a'b\"|'a\"b'|é|日本|*|$HOME|`id`|;|&|~".split(
    "|",
  ),
  ...["\\\\", "\\\\ ", "\\\\\\\\", "\\s", "\\t", "\\n", "\\r", '"\\\\$x"', '"\\\\a"', "'\\\\'"],
  ...["#", "# x", "a#b", "'#'", '"#"', "\\n#x\\ny", "\\sx\\s", "=", "[x]", "\u{1f600}"],
  ...["'open", '"open', "open\\\\", "'a'\\n'b'", "|", ">", "\ufeff", "\u0085", "\u00a0"],
];

/** Keys that a file may have besides; most mean nothing. */
const LINES = [
  ...["User=nobody", "User=", "SystemdService=a.service", "AssumedAppArmorLabel=/usr/bin/x"],
  ...["X-Flatpak=org.example", "Unknown=1", "Name[de]=Anders", "Exec[de]=/bin/false", "Name[=x"],
  ...["name=org.example.Small", "NAME=x", "Comment=a # b", "Key=\\s\\t\\n\\r\\\\", "Empty="],
  ...["# comment", "#", "", " \t", "\f", "# Grüße", "Key = spaced ", "0-9=x", "-=x"],
  ...["no equals", "=x", " Key=x", "\tKey=x", "Ke y=x", "K_y=x", "Kéy=x", "Key\t=x", "Key=\\x"],
  ...["Key=\\", "[Other]", "[Other", "[]", "[a]b]", "[Other] ", " [Other]", "[Ünder]", HEADING],
  ...["[D-Bus Service]", "[Desktop Entry]", "Name=nodots", "Exec=/bin/false", "\v"],
  ...["Key=\u{fffe}", "Key=\u{10ffff}", "Key=\u2028x", "Key==x", "Key=[x]", ";comment", "\\s=x"],
];

/** Bytes that make the difference between one file and another. */
const BITS = [
  ...["\0", "\t", "\r", "\n", "\r\n", "\f", "\v", " ", "  ", "=", "[", "]", "#", "\\", "\\s", "'"],
  ...['"', ".", ":", "/", "-", "\x7f", "\x1b"],
  // Latin-1: é alone, é in UTF-8, an overlong NUL, half a surrogate pair, more than Unicode has, a byte order mark.
  ...["\xe9", "\xc3\xa9", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xef\xbb\xbf", "\xff"],
];

function bytesOf(random: Random, name: string, program: string): Uint8Array {
  const lines = [HEADING, `Name=${nameIn(random, name)}`, `Exec=${execIn(random, program)}`];
  if (random.below(3) === 0) lines.push("User=nobody");
  if (random.below(2) === 0) lines.splice(1, 0, ...lines.splice(2, 1));
  for (let extra = random.pick([0, 0, 0, 1, 1, 2, 3]); extra > 0; extra--) {
    lines.splice(random.below(lines.length + 1), 0, lineIn(random));
  }
  if (random.below(20) === 0) lines.splice(random.below(lines.length), 1);
  const end = random.pick(["\n", "\n", "\n", "\n", "\r\n", "\r"]);
  const last = random.pick([end, end, end, "", `${end}${end}`]);
  const bytes = Buffer.from(lines.join(end) + last);
  return random.below(6) === 0 ? mutated(random, bytes) : bytes;
}

/** Most often the name as it should be. */
function nameIn(random: Random, name: string): string {
  if (random.below(8) > 0) return name;
  return random.pick([
    ...[`${name} `, ` ${name}`, `${name}\\s`, `\\s${name}`, `${name}.`, `.${name}`, `:${name}`],
    ...[`${name}..y`, `${name}.9`, `${name}-y`, `${name}_`, name.replaceAll(".", ""), `${name}é`],
    ...[name.replace("org.", "9org."), `${name}\\\\`, `${name}.${"y".repeat(233)}`],
    ...[`${name}.${"y".repeat(232)}`, `${name}.${"y".repeat(300)}`, `${name}/y`, `"${name}"`],
  ]);
}

function execIn(random: Random, program: string): string {
  const words = Array.from({ length: random.below(5) }, () => random.pick(WORDS));
  const between = (): string => random.pick([" ", " ", " ", "  ", "\t", "", "\\s", "\\t"]);
  const first = random.pick([
    ...Array<string>(12).fill(program),
    ...[`"${program}"`, `'${program}'`, `\\s${program}`, ` ${program}`, `\\\\${program}`],
    ...["", "sh", "/nowhere/at/all", "/", program.replace(/\/org\./, "/'org.'")],
  ]);
  return (
    words.reduce((text, word) => text + between() + word, first) +
    random.pick(["", "", "", " ", "\\n"])
  );
}

function lineIn(random: Random): string {
  return random.pick(LINES);
}

/** One place of it is another. */
function mutated(random: Random, bytes: Buffer): Uint8Array {
  const at = random.below(bytes.length);
  const bit = Buffer.from(random.pick(BITS), "latin1");
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random.below(4)) {
    case 0:
      return Buffer.concat([before, after.subarray(1)]);
    case 1:
      return Buffer.concat([before, bit, after.subarray(1)]);
    case 2:
      return before;
    default:
      return Buffer.concat([before, bit, after]);
  }
}
