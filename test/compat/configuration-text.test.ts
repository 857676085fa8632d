/** What a configuration file is before it is elements: encodings, document types, sizes, files that are none. */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ConfigurationFolder, configurationOf } from "./configuration-folder.ts";

const LISTEN = "<listen>unix:path=/x</listen>";
const document = (contents: string): string => `<busconfig>${LISTEN}${contents}</busconfig>`;
const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

let folder: ConfigurationFolder;
beforeEach(() => {
  folder = new ConfigurationFolder();
});
afterEach(() => folder.remove());

test.each([
  ["UTF-8", Buffer.from(document("<type>é</type>"))],
  ["with a byte order mark", Buffer.from(`\ufeff${document("<type>é</type>")}`)],
  [
    "that says ISO-8859-1",
    Buffer.from(`<?xml version="1.0" encoding="ISO-8859-1"?>${document("<type>é</type>")}`),
  ],
  ["UTF-16", Buffer.from(document("<type>é</type>"), "utf16le")],
  ["UTF-16 with a mark", Buffer.from(`\ufeff${document("<type>é</type>")}`, "utf16le")],
  ["UTF-16BE", utf16be(document("<type>é</type>"))],
  ["UTF-16BE with a mark", utf16be(`\ufeff${document("<type>é</type>")}`)],
])("a document in %s", (_, bytes) => {
  expect(configurationOf(folder.load(bytes)).type).toBe("é");
});

test.each([
  ["latin 1", Buffer.from("<busconfig>\n<type>\xe9</type></busconfig>", "latin1"), 2, 7],
  ["a replacement character before", Buffer.from("<a>\ufffd\xff", "latin1"), 1, 4],
  ["a sequence cut short", Buffer.concat([Buffer.from("<a>\n"), Buffer.from([0xe2, 0x82])]), 2, 1],
  [
    "half a UTF-16 unit",
    Buffer.from(`${Buffer.from("<a\n>", "utf16le").toString("latin1")}x`, "latin1"),
    2,
    2,
  ],
])("bytes that are no text: %s", (_, bytes, line, column) => {
  expect(folder.problemOf(folder.load(bytes))).toMatch(
    new RegExp(`^a.conf:${line}: .*UTF-(8|16).* \\(column ${column}\\)$`),
  );
});

test("entities and attributes of the document itself count, and nothing else is read", () => {
  const result = folder.load(
    `<!DOCTYPE busconfig PUBLIC "-//x" "file:///etc/hostname" [
       <!ENTITY name "session"> <!ENTITY more "<fork/>"> <!ENTITY file SYSTEM "file:///etc/hostname">
       <!ATTLIST include ignore_missing (yes|no) "yes">
     ]><busconfig><listen>unix:path=/&name;&file;&unknown;</listen>&more;<include>gone</include></busconfig>`,
  );
  expect(configurationOf(result)).toMatchObject({
    listen: ["unix:path=/session"],
    forks: true,
  });
  expect(folder.warningsOf(result)).toEqual([
    'a.conf:4: "&file;" is left out: what declares it is not read (column 44)',
    'a.conf:4: "&unknown;" is left out: what declares it is not read (column 50)',
  ]);
});

test("an entity of entities is cut short", () => {
  const levels = Array.from(
    { length: 10 },
    (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`,
  );
  const problem = folder.problemOf(
    folder.load(
      `<!DOCTYPE busconfig [<!ENTITY l0 "lol">${levels.join("")}]>\n${document("&l10;")}`,
    ),
  );
  expect(problem).toBe("a.conf:2: entities stand for more than 65536 characters (column 41)");
});

test("a file may have 1 MiB", () => {
  const padding = (1 << 20) - document("<!---->").length;
  expect(folder.problemOf(folder.load(document(`<!--${"x".repeat(padding)}-->`)))).toBeNull();
  expect(folder.problemOf(folder.load(document(`<!--${"x".repeat(padding + 1)}-->`)))).toBe(
    "a.conf: is too large: 1048577 bytes, 1048576 may be",
  );
});

test("what is no file is refused, and a named pipe stops nobody", () => {
  execFileSync("mkfifo", [join(folder.path, "pipe.conf")]);
  expect(folder.problemOf(folder.load(document("<include>pipe.conf</include>")))).toBe(
    "a.conf:1: <include>: pipe.conf: is not a regular file",
  );
  const result = folder.load(document("<includedir>.</includedir>"), {
    "d.conf/e": "",
  });
  expect(folder.warningsOf(result)).toEqual([
    "a.conf:1: <includedir>: a.conf: circular inclusion; the whole file is left out",
    "a.conf:1: <includedir>: d.conf: is not a regular file; the whole file is left out",
    "a.conf:1: <includedir>: pipe.conf: is not a regular file; the whole file is left out",
  ]);
});
