/** Files that include others: what of them counts, and how what is wrong in them is told. */

import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ConfigurationFolder, configurationOf } from "./configuration-folder.ts";

const LISTEN = "<listen>unix:path=/x</listen>";

let folder: ConfigurationFolder;
beforeEach(() => {
  folder = new ConfigurationFolder();
});
afterEach(() => folder.remove());

test("a problem names its file, line and element, and the way there", () => {
  const result = folder.load(`${LISTEN}\n<include>d/b.conf</include>`, {
    "d/b.conf": "\n\n<include>../e/c.conf</include>",
    "e/c.conf": "<fork/>\n<fork>yes</fork>",
  });
  expect(folder.problemOf(result)).toBe(
    "e/c.conf:2: <fork>: no text is expected inside (included from d/b.conf:3, included from a.conf:2)",
  );
  const malformed = folder.load(`${LISTEN}\n<include>d/b.conf</include>`, {
    "d/b.conf": "<x></y>",
  });
  expect(folder.problemOf(malformed)).toMatch(/^d\/b.conf:1: .* \(included from a.conf:2\)$/);
});

test("values of an included file replace, flags are set, limits hold on; <syslog/> counts for nothing", () => {
  const result = folder.load(
    `${LISTEN}<type>one</type><user>a</user><limit name="auth_timeout">1</limit><include>b.conf</include>`,
    {
      "b.conf": `<type>two</type><fork/><keep_umask/><allow_anonymous/><syslog/><pidfile>/p</pidfile>
        <servicehelper>helper</servicehelper><servicedir>s</servicedir><auth>EXTERNAL</auth>
        <limit name="auth_timeout">2</limit>`,
    },
  );
  expect(configurationOf(result)).toMatchObject({
    type: "two",
    user: "a",
    forks: true,
    keepsUmask: true,
    allowsAnonymous: true,
    usesSyslog: false,
    pidFile: "/p",
    serviceHelper: join(folder.path, "helper"),
    serviceDirectories: [{ path: join(folder.path, "s") }],
    authentication: ["EXTERNAL"],
    limits: { authTimeoutMs: 2 },
  });
});

test("a file that needs a missing one is as good as missing, as in dbus-daemon", () => {
  const result = folder.load(`${LISTEN}\n<include ignore_missing="yes">b.conf</include>`, {
    "b.conf": "<type>x</type>\n<include>gone</include>",
  });
  expect(configurationOf(result).type).toBeNull();
  expect(folder.warningsOf(result)).toEqual([
    "b.conf:2: <include>: gone: cannot be read: no such file or directory; the whole file is left out (included from a.conf:2)",
  ]);
});

test.each([
  ['<include ignore_missing="yes">gone</include>', null],
  ['<include ignore_missing="yes">gone/too</include>', null],
  ['<include ignore_missing="yes">a.conf/b</include>', /: cannot be read: not a directory$/],
  ['<include ignore_missing="no">gone</include>', /: cannot be read: no such file/],
  ["<include> b.conf</include>", / b.conf: cannot be read: no such file/],
  ["<include> </include>", / : cannot be read: no such file/],
  ["<includedir>gone</includedir>", null],
  ["<includedir>a.conf</includedir>", /a.conf cannot be read: not a directory/],
])("what is missing: %s", (contents, problem) => {
  const text = folder.problemOf(folder.load(LISTEN + contents, { "b.conf": "" }));
  if (problem === null) expect(text).toBeNull();
  else expect(text).toMatch(problem);
});

test("a link to nothing in a directory is passed over, and every directory is one to watch", () => {
  folder.write({ "d/e.conf": "<includedir>../f</includedir>", "f/x": "" });
  symlinkSync("nothing", join(folder.path, "d/dangling.conf"));
  const result = folder.load(`${LISTEN}<includedir>d</includedir><includedir>gone</includedir>`);
  expect(folder.warningsOf(result)).toEqual([]);
  expect(configurationOf(result).watchedDirectories).toEqual(
    ["d", "f", "gone"].map((name) => join(folder.path, name)),
  );
});
