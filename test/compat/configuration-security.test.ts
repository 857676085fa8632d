/** `<selinux>` and `<apparmor>`: nobody is left with less protection than he asked for, and none the wiser. */

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { SecurityModules } from "../../compat/dbus-daemon/security-elements.ts";
import { ConfigurationFolder } from "./configuration-folder.ts";

const LISTEN = "<listen>unix:path=/x</listen>";
const LABELS = '<selinux><associate own="a.b" context="c"/></selinux>';

let folder: ConfigurationFolder;
beforeEach(() => {
  folder = new ConfigurationFolder();
});
afterEach(() => folder.remove());

/** What is wrong, or the warnings. */
function told(contents: string, security: Partial<SecurityModules>): string | string[] {
  const result = folder.load(LISTEN + contents, {}, security);
  return folder.problemOf(result) ?? folder.warningsOf(result);
}

test("labels are refused where SELinux enforces them, and told about where it does not", () => {
  const element = '<associate own="a.b" context="c">';
  expect(told(LABELS, { selinux: "enforcing" })).toBe(
    `a.conf:1: ${element}: this bus has no SELinux mediation, and SELinux is enforcing`,
  );
  expect(told(LABELS, { selinux: "permissive" })).toEqual([
    `a.conf:1: ${element}: is not obeyed: SELinux is not asked`,
  ]);
  expect(told(LABELS, { selinux: "absent" })).toEqual([]);
});

test("without labels a bus starts under SELinux, and says that it does not ask it", () => {
  for (const selinux of ["enforcing", "permissive"] as const) {
    expect(told("<selinux/>", { selinux })).toEqual([
      `a.conf: SELinux is ${selinux}, and this bus does not ask it`,
    ]);
  }
});

test("files for machines with SELinux are read there, relative to its policy", () => {
  const include = '<include if_selinux_enabled="yes" selinux_root_relative="yes">b.conf</include>';
  folder.write({ "policy/b.conf": LABELS });
  const selinuxRoot = `${folder.path}/policy`;
  expect(told(include, { selinux: "enforcing", selinuxRoot })).toBe(
    'policy/b.conf:1: <associate own="a.b" context="c">: this bus has no SELinux mediation, and SELinux is enforcing (included from a.conf:1)',
  );
  expect(told(include, { selinux: "absent", selinuxRoot })).toEqual([]);
});

test.each<[string, boolean, string | string[]]>([
  [
    '<apparmor mode="required"/>',
    false,
    'a.conf:1: <apparmor mode="required">: this bus has no AppArmor mediation',
  ],
  [
    '<apparmor mode="required"/>',
    true,
    'a.conf:1: <apparmor mode="required">: this bus has no AppArmor mediation',
  ],
  ['<apparmor mode="required"/><apparmor mode="disabled"/>', true, []],
  ["<apparmor/>", false, []],
  ["<apparmor/>", true, ["a.conf:1: <apparmor>: is not obeyed: AppArmor is not asked"]],
  ['<apparmor mode="disabled"/>', true, []],
  [
    '<apparmor mode="x"/>',
    true,
    'a.conf:1: <apparmor mode="x">: mode must be "required", "enabled" or "disabled"',
  ],
])("%s where AppArmor is there: %s", (contents, hasAppArmor, expected) => {
  expect(told(contents, { hasAppArmor })).toEqual(expected);
});

test("a file that is left out may still require AppArmor, as in dbus-daemon", () => {
  folder.write({ "d/b.conf": '<apparmor mode="required"/><bees/>' });
  expect(told("<includedir>d</includedir>", {})).toMatch(
    /^d\/b.conf:1: <apparmor mode="required">: this bus has no AppArmor mediation/,
  );
});
