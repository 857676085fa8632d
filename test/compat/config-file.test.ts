/** Configuration files: what they mean, and what is wrong with them. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type LoadResult, loadConfiguration } from "../../compat/dbus-daemon/config-file.ts";
import { type Configuration, describeProblem } from "../../compat/dbus-daemon/configuration.ts";
import type { SecurityModules } from "../../compat/dbus-daemon/security-elements.ts";
import { testWithProgram } from "./programs.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const environment = { XDG_DATA_HOME: "/home/me/share", XDG_DATA_DIRS: "/a:/b:/a" };

/** Writes files, given as path and contents of <busconfig>, and loads the first. */
/** Whatever this machine has. */
const security: SecurityModules = { selinux: "absent", selinuxRoot: "/none", hasAppArmor: false };

function load(files: Readonly<Record<string, string>>): LoadResult {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    const isWhole = contents.startsWith("<busconfig") || contents.startsWith("<!");
    writeFileSync(join(folder, path), isWhole ? contents : `<busconfig>${contents}</busconfig>`);
  }
  const [first = ""] = Object.keys(files);
  return loadConfiguration({ kind: "file", path: join(folder, first) }, { environment, security });
}

function loadOne(contents: string): Configuration {
  const result = load({ "a.conf": `<listen>unix:path=/x</listen>${contents}` });
  return configurationOf(result);
}

function configurationOf({ configuration, problem }: LoadResult): Configuration {
  if (configuration === null) throw new Error(describeProblem(problem));
  return configuration;
}

function problemOf(result: LoadResult): string | null {
  if (result.problem === null) return null;
  return describeProblem(result.problem).replaceAll(`${folder}/`, "");
}

function warningsOf(configuration: Configuration): string[] {
  return configuration.warnings.map((warning) =>
    describeProblem(warning).replaceAll(`${folder}/`, ""),
  );
}

const allowAll = `<policy context="default">
  <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy>`;

test("values that replace, values that add up, and flags", () => {
  expect(
    loadOne(`<type>session</type><type>system</type><user>a</user><user>root</user>
      <listen>unix:tmpdir=/&#116;mp</listen><auth>EXTERNAL</auth><auth>ANONYMOUS</auth>
      <fork/><keep_umask/><syslog/><allow_anonymous/><pidfile>/run/a</pidfile><pidfile>/run/b</pidfile>
      <servicedir>/s/&amp;</servicedir><servicedir>t</servicedir><servicedir>/s/&amp;</servicedir>
      <limit name="auth_timeout">1</limit><limit name="auth_timeout">2</limit>
      <limit name="max_names_per_connection">0x10</limit>
      <limit name="max_message_size">1000000000</limit>
      <limit name="reply_timeout">9</limit>
       <limit name="max_containers">9</limit>${allowAll}`),
  ).toEqual({
    type: "system",
    user: "root",
    listen: ["unix:path=/x", "unix:tmpdir=/tmp"],
    authentication: ["EXTERNAL", "ANONYMOUS"],
    forks: true,
    keepsUmask: true,
    usesSyslog: true,
    allowsAnonymous: true,
    pidFile: "/run/b",
    serviceDirectories: [{ path: "/s/&" }, { path: join(folder, "t") }],
    serviceHelper: null,
    watchedDirectories: [],
    transientServiceDirectory: null,
    limits: {
      authTimeoutMs: 2,
      maxNamesPerConnection: 16,
      maxMessageSize: 134_217_728,
      replyTimeoutMs: 9,
    },
    unenforcedLimits: ["max_containers"],
    policyRules: [
      expect.objectContaining({ subject: "send" }),
      expect.objectContaining({ subject: "receive" }),
      expect.objectContaining({ subject: "own" }),
    ],
    warnings: [],
  });
});

test("the standard service directories follow the environment, each once", () => {
  const { serviceDirectories } = loadOne("<standard_session_servicedirs/>");
  expect(serviceDirectories).toEqual(
    ["/home/me/share", "/a", "/b", "/usr/share"].map((path) => ({
      path: `${path}/dbus-1/services`,
    })),
  );
  expect(loadOne("<standard_system_servicedirs/>").serviceDirectories).toEqual(
    ["/usr/local/share", "/usr/share", "/lib"].map((path) => ({
      path: `${path}/dbus-1/system-services`,
    })),
  );
});

test("included files take effect where they are included", () => {
  const { limits, type, listen } = configurationOf(
    load({
      "a.conf": `<listen>unix:path=/1</listen><type>one</type><limit name="auth_timeout">1</limit>
        <include>sub/b.conf</include><listen>unix:path=/4</listen>
        <include ignore_missing="yes">nowhere.conf</include>`,
      "sub/b.conf": `<type>two</type><listen>unix:path=/2</listen>
        <limit name="auth_timeout">2</limit><include>c.conf</include>`,
      "sub/c.conf": "<listen>unix:path=/3</listen>",
    }),
  );
  expect(listen).toEqual(["unix:path=/1", "unix:path=/2", "unix:path=/3", "unix:path=/4"]);
  expect({ type, limits }).toEqual({ type: "two", limits: { authTimeoutMs: 2 } });
});

test("a directory is included in the order of its names, and only what ends in .conf", () => {
  const { listen } = configurationOf(
    load({
      "a.conf": "<includedir>d</includedir><includedir>none</includedir>",
      "d/2.conf": "<listen>unix:path=/2</listen>",
      "d/1.conf": "<listen>unix:path=/1</listen>",
      "d/3.conf.orig": "<listen>unix:path=/3</listen>",
    }),
  );
  expect(listen).toEqual(["unix:path=/1", "unix:path=/2"]);
});

test("a bad file in an included directory is left out as a whole and told", () => {
  const configuration = configurationOf(
    load({
      "a.conf": `<listen>unix:path=/1</listen><includedir>d</includedir>${allowAll}`,
      "d/bad.conf": '<listen>unix:path=/2</listen>\n<limit name="auth_timeout">5</limit>\n<bees/>',
      "d/good.conf": "<listen>unix:path=/3</listen>",
    }),
  );
  expect(configuration.listen).toEqual(["unix:path=/1", "unix:path=/3"]);
  expect(configuration.limits).toEqual({});
  expect(warningsOf(configuration)).toEqual([
    "d/bad.conf:3: <bees>: is not allowed inside <busconfig>; the whole file is left out (included from a.conf:1)",
  ]);
});

test("a file may be included twice, but not in itself, under whatever name", () => {
  const twice = { "a.conf": "<include>b.conf</include><include>b.conf</include>" };
  expect(
    configurationOf(load({ ...twice, "b.conf": "<listen>unix:path=/1</listen>" })),
  ).toMatchObject({ listen: ["unix:path=/1", "unix:path=/1"] });
  expect(problemOf(load({ ...twice, "b.conf": "<include>a.conf</include>" }))).toBe(
    "b.conf:1: <include>: a.conf: circular inclusion (included from a.conf:1)",
  );
  load({ "a.conf": "<include>self/a.conf</include>" });
  symlinkSync(".", join(folder, "self"));
  const path = join(folder, "a.conf");
  expect(problemOf(loadConfiguration({ kind: "file", path }))).toBe(
    "a.conf:1: <include>: self/a.conf: circular inclusion",
  );
});

test.each([
  ["<bees/>", "1: <bees>: is not allowed inside <busconfig>"],
  ["\n\n<listen/>", "3: <listen>: must not be empty"],
  ['<listen x="1">a</listen>', '1: <listen x="1">: the attribute "x" is invalid here'],
  ["<listen>a<b/></listen>", "1: <b>: is not allowed in this context"],
  [
    "<auth>KERBEROS</auth>",
    '1: <auth>: there is no mechanism "KERBEROS", only EXTERNAL, DBUS_COOKIE_SHA1, ANONYMOUS',
  ],
  ["<fork>yes</fork>", "1: <fork>: no text is expected inside"],
  ["text", "1: <busconfig>: no text is expected inside"],
  ['<busconfig x="1"/>', '1: <busconfig x="1">: the attribute "x" is invalid here'],
  ["<!-- --><config/>", "1: <config>: the root must be <busconfig>"],
  ["<limit>5</limit>", '1: <limit>: must have the attribute "name"'],
  [
    '<limit name="max_bees">5</limit>',
    '1: <limit name="max_bees">: there is no limit called "max_bees"',
  ],
  [
    '<limit name="toString">5</limit>',
    '1: <limit name="toString">: there is no limit called "toString"',
  ],
  [
    '<limit name="auth_timeout">bees</limit>',
    '1: <limit name="auth_timeout">: the value is not a whole number',
  ],
  [
    '<limit name="auth_timeout">-1</limit>',
    '1: <limit name="auth_timeout">: the value must not be negative',
  ],
  [
    '<limit name="auth_timeout">2147483648</limit>',
    '1: <limit name="auth_timeout">: the value is larger than 2147483647',
  ],
  [
    '<include ignore_missing="maybe">b</include>',
    '1: <include ignore_missing="maybe">: ignore_missing must be "yes" or "no"',
  ],
  [
    '<include selinux_root_relative="yes">b</include>',
    '1: <include selinux_root_relative="yes">: /none/b: cannot be read: no such file or directory',
  ],
  ["<selinux><bees/></selinux>", "1: <bees>: is not allowed inside <selinux>"],
  [
    '<selinux><associate own="a.b"/></selinux>',
    '1: <associate own="a.b">: must have the attributes own and context',
  ],
  [
    '<apparmor mode="required"/>',
    '1: <apparmor mode="required">: this bus has no AppArmor mediation',
  ],
  [
    "<policy/>",
    "1: <policy>: must have exactly one of the attributes context, user, group and at_console",
  ],
])("%s is refused", (contents, problem) => {
  expect(problemOf(load({ "a.conf": contents }))).toBe(`a.conf:${problem}`);
});

test("what is wrong around the contents is told as well", () => {
  expect(problemOf(load({ "a.conf": "" }))).toBe(
    "a.conf: needs one or more <listen> elements with addresses",
  );
  expect(problemOf(load({ "a.conf": "<include>b</include>" }))).toBe(
    "a.conf:1: <include>: b: cannot be read: no such file or directory",
  );
  expect(problemOf(load({ "a.conf": "<include>.</include>" }))).toMatch(/: is not a regular file$/);
  expect(problemOf(load({ "a.conf": "<listen>\u0001</listen>" }))).toBe(
    "a.conf:1: Invalid character (column 20)",
  );
});

test("elements nested without end are refused", () => {
  expect(problemOf(load({ "a.conf": "<fork>".repeat(100_000) }))).toMatch(/nest more than 64/);
});

test("somebody unknown in a policy is told and fits nobody", () => {
  const configuration = loadOne(`${allowAll}
<policy user="no-such-user"><deny own="a.b"/></policy>
<policy context="default"><deny group="no-such-group"/></policy>`);
  expect(configuration.policyRules.map(({ subject }) => subject)).toEqual([
    "send",
    "receive",
    "own",
  ]);
  expect(warningsOf(configuration)).toEqual([
    'a.conf:4: <policy user="no-such-user">: there is no such user',
    'a.conf:5: <deny group="no-such-group">: there is no group called "no-such-group"',
  ]);
});

test.each([
  ['<allow eavesdrop="perhaps"/>', 'eavesdrop must be "true" or "false"'],
  ['<allow send_type="letter"/>', '"letter" is not a message type'],
  [
    '<deny send_destination="a.b" max_fds="-1"/>',
    "max_fds must be a whole number from 0 to 33554432",
  ],
  ['<deny max_fds="1"/>', "must say what it is about"],
  [
    '<allow send_error="a.b" send_interface="a.b"/>',
    "send_error cannot be combined with send_member or send_interface",
  ],
  [
    '<allow send_destination="a.b" send_destination_prefix="a.b"/>',
    "send_destination cannot be combined with send_destination_prefix",
  ],
])("the rule %s is refused", (rule, text) => {
  const result = load({ "a.conf": `<policy context="default">${rule}</policy>` });
  expect(problemOf(result)).toBe(`a.conf:1: ${rule.replace("/>", ">")}: ${text}`);
});

test("a rule about who may connect cannot be for one user", () => {
  const result = load({ "a.conf": '<policy user="root"><allow user="*"/></policy>' });
  expect(problemOf(result)).toMatch(/cannot be per user/);
});

test("what is not obeyed is told", () => {
  expect(
    warningsOf(
      loadOne(
        `${allowAll}<servicehelper>/bin/false</servicehelper><limit name="auth_timeout">5 s</limit>`,
      ),
    ),
  ).toEqual(['a.conf:3: <limit name="auth_timeout">: "s" after the number is not read']);
});

const data = "/usr/lib/dbus-1.0/installed-tests/dbus/data";

testWithProgram(data, "the reference's invalid configurations are refused with their place", () => {
  const files = readdirSync(`${data}/invalid-config-files`).filter((name) =>
    name.endsWith(".conf"),
  );
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) {
    const path = `${data}/invalid-config-files/${file}`;
    const { problem } = loadConfiguration({ kind: "file", path });
    expect([file, problem === null ? null : describeProblem(problem)]).toEqual([
      file,
      expect.stringMatching(/\.conf(:\d+)?: ./),
    ]);
  }
});

testWithProgram(data, "the reference's valid configurations are accepted", () => {
  for (const directory of ["valid-config-files", "valid-config-files-system"]) {
    for (const file of readdirSync(`${data}/${directory}`)) {
      if (!file.endsWith(".conf")) continue;
      const path = `${data}/${directory}/${file}`;
      const { problem } = loadConfiguration({ kind: "file", path });
      expect([file, problem === null ? null : describeProblem(problem)]).toEqual([file, null]);
    }
  }
});

testWithProgram(data, "the reference's equivalent configurations are equal", () => {
  for (const name of ["basic", "entities"]) {
    const [one, two] = [1, 2].map((number) => {
      const path = `${data}/equiv-config-files/${name}/${name}-${number}.conf`;
      const { warnings, ...values } = configurationOf(loadConfiguration({ kind: "file", path }));
      return { values, count: warnings.length };
    });
    expect(one).toEqual(two);
  }
});

testWithProgram(
  "/usr/share/dbus-1/session.conf",
  "the installed session bus loads in peace",
  () => {
    const configuration = configurationOf(
      loadConfiguration({ kind: "session" }, { environment, security }),
    );
    expect(configuration.warnings).toEqual([]);
    expect(configuration).toMatchObject({ type: "session", listen: ["unix:tmpdir=/tmp"] });
    expect(configuration.limits.maxNamesPerConnection).toBe(50_000);
  },
);

testWithProgram(
  "/usr/share/dbus-1/system.conf",
  "the installed system bus loads with its policy",
  () => {
    const configuration = configurationOf(
      loadConfiguration({ kind: "system" }, { environment, security }),
    );
    expect(configuration).toMatchObject({ type: "system", user: "messagebus", forks: true });
    const elements = configuration.policyRules.map(({ origin }) => origin.element);
    expect(elements).toContain('<allow user="*">');
    expect(elements).toContain('<deny own="*">');
  },
);
