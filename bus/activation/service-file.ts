/** What a `.service` file says, or where it is wrong: text in, values out. */

import { isBusName, isUniqueName } from "../../wire/names.ts";

/** How to start the owner of a name. */
export interface ServiceFile {
  readonly name: string;
  /** The command line, as written. */
  readonly exec: string;
  /** Who a system bus is to run it as; a session bus runs everything as itself. */
  readonly user: string | null;
  /** The unit that a bus with systemd activation would start instead. */
  readonly systemdService: string | null;
}

/** `line` counts from 1; it is 0 when something is missing from the whole file. */
export interface ServiceFileProblem {
  readonly line: number;
  readonly text: string;
}

const SECTION = "D-BUS Service";

/** A key with its value, and where it stands. */
interface Entry {
  readonly line: number;
  readonly value: string;
}

/**
 * As strict as dbus-daemon's parser, of desktop files: one line that is wrong, in whichever section, and the
 * file counts for nothing; the first section of a name and the first line of a key in it count. What
 * dbus-daemon does not check is that `Name` is a name.
 */
export function parseServiceFile(text: string): ServiceFile | ServiceFileProblem {
  const entries = entriesOf(text);
  if (!(entries instanceof Map)) return entries;
  const name = entries.get("Name");
  const exec = entries.get("Exec");
  if (name === undefined) return { line: 0, text: `there is no Name= in [${SECTION}]` };
  if (exec === undefined) return { line: 0, text: `there is no Exec= in [${SECTION}]` };
  if (!isBusName(name.value) || isUniqueName(name.value)) {
    return { line: name.line, text: `"${name.value}" is not a well-known bus name` };
  }
  return {
    name: name.value,
    exec: exec.value,
    user: entries.get("User")?.value ?? null,
    systemdService: entries.get("SystemdService")?.value ?? null,
  };
}

/** The entries of the section that is for D-Bus, once every line of the file has been found to be right. */
function entriesOf(text: string): Map<string, Entry> | ServiceFileProblem {
  const entries = new Map<string, Entry>();
  const sections = new Set<string>();
  let isInside = false;
  const isBlank = blankness(text);
  let [line, offset] = [0, 0];
  for (const piece of text.split(/(?<=\r\n|\n|\r(?!\n))/)) {
    line++;
    const content = piece.replace(/[\r\n]+$/, "");
    const isBlankHere = isBlank(offset);
    offset += piece.length;
    if (content.startsWith("[")) {
      const [, name] = /^\[([\x20-\x5a\x5c\x5e-\x7e]+)\]$/.exec(content) ?? [];
      if (name === undefined)
        return { line, text: `"${content}" is no section, such as [${SECTION}]` };
      isInside = name === SECTION && !sections.has(name);
      sections.add(name);
    } else if (!isBlankHere && !content.startsWith("#")) {
      if (sections.size === 0) return { line, text: "a key before the first [section]" };
      const entry = entryOf(content);
      if ("problem" in entry) return { line, text: entry.problem };
      const { key, value } = entry;
      if (isInside && !entry.isLocalized && !entries.has(key)) entries.set(key, { line, value });
    }
  }
  return entries;
}

/**
 * Tells whether a line that begins at an offset is blank, asked with rising offsets. As for dbus-daemon, a line that
 * ends with CR alone is blank only if the following ones are, up to one that ends with LF; and behind a NUL anything
 * may stand.
 */
function blankness(text: string): (offset: number) => boolean {
  const blanks = /[ \t\r\f]*/y;
  let end = -1;
  return (offset) => {
    if (offset > end) {
      blanks.lastIndex = offset;
      end = offset + (blanks.exec(text)?.[0].length ?? 0);
    }
    return end === text.length || text[end] === "\n" || text[end] === "\0";
  };
}

/** One line `key = value`; `key[locale]` is accepted, whatever follows, and means nothing. */
function entryOf(
  content: string,
): { key: string; isLocalized: boolean; value: string } | { problem: string } {
  const [, key = "", rest = ""] = /^([A-Za-z0-9-]*)(.*)$/s.exec(content) ?? [];
  if (key === "") return { problem: `"${content}" does not begin with a key (A-Z a-z 0-9 -)` };
  if (rest.startsWith("[")) return { key, isLocalized: true, value: "" };
  const [, raw] = /^ *= *(.*)$/s.exec(rest) ?? [];
  if (raw === undefined) return { problem: `there is no "=" after the key "${key}"` };
  if (raw.includes("\0")) return { problem: `the value of ${key} contains a NUL` };
  const [wrong] = /\\.?/s.exec(raw.replace(/\\[stnr\\]/g, "")) ?? [];
  if (wrong !== undefined) {
    return { problem: `"${wrong}" in the value of ${key} is none of \\s \\t \\n \\r \\\\` };
  }
  return {
    key,
    isLocalized: false,
    value: raw.replace(/\\(.)/g, (_all, code) => ESCAPES[code] ?? ""),
  };
}

const ESCAPES: Readonly<Record<string, string>> = { s: " ", t: "\t", n: "\n", r: "\r", "\\": "\\" };
