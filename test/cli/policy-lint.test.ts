/** What `onehop policy lint` finds, and what it does not. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { PolicyExplainer, type PolicyRule, providedServices } from "../../bus/index.ts";
import { covers } from "../../cli/policy/lint/covers.ts";
import { FINDING_CODES, type Finding } from "../../cli/policy/lint/finding.ts";
import { lintPolicy } from "../../cli/policy/lint/lint.ts";
import { builtInConfiguration } from "../../compat/dbus-daemon/standard-configurations.ts";
import { MessageType } from "../../wire/protocol.ts";
import { message, peer, policyRules } from "../bus/policy/arbitrary-policies.ts";
import { policyOf } from "../bus/policy/policy-text.ts";
import { testWithProgram } from "../compat/programs.ts";
import { sourceOf } from "./policy-questions.ts";

/** The codes that the tests have met. */
const met = new Set<string>();

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-policy-lint-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** As the system bus of a distribution begins. */
const BASE = `<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow send_destination="org.freedesktop.DBus"/></policy>`;
/** A service that is as it should be. */
const GOOD = `<policy user="root"><allow own="a.b"/></policy>
<policy context="default"><allow send_destination="a.b"/></policy>`;

function written(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function lintFile(path: string): readonly Finding[] {
  const { configuration } = sourceOf(path);
  const services = providedServices(configuration.serviceDirectories, () => {});
  const findings = lintPolicy({ path, configuration, services });
  for (const { code } of findings) met.add(code);
  return findings;
}

/** Each as `level code`, in the order in which they are told. */
function lint(text: string, type = "system"): string[] {
  const path = written(
    "bus.conf",
    `<busconfig><type>${type}</type><listen>unix:path=/x</listen>${text}</busconfig>`,
  );
  return lintFile(path).map(({ level, code }) => `${level} ${code}`);
}

const inContext = (context: string, rules: string): string =>
  `${BASE}${GOOD}<policy ${context}>${rules}</policy>`;
const byDefault = (rules: string): string => inContext('context="default"', rules);

test("a policy as it should be: nothing", () => {
  expect(lint(BASE + GOOD)).toEqual([]);
});

test.each([
  // What is open that should not be.
  ["warning send-without-destination", byDefault('<allow send_interface="a.b"/>')],
  ["warning send-without-destination", byDefault('<allow send_path="/a"/>')],
  [
    "warning send-without-destination",
    inContext('group="daemon"', '<allow send_interface="a.b" send_type="method_call"/>'),
  ],
  ["warning send-without-destination", inContext('user="bin"', '<allow send_interface="a.b"/>')],
  ["error everything-allowed", byDefault('<allow send_destination="*"/>')],
  ["error everything-owned", byDefault('<allow own="*"/>')],
  ["warning owned-by-everybody", byDefault('<allow own="a.b"/>')],
  ["warning own-too-wide", inContext('user="bin"', '<allow own="*"/>')],
  ["warning own-too-wide", inContext('user="bin"', '<allow own_prefix="org"/>')],
  ["warning own-too-wide", inContext('user="bin"', '<allow own_prefix="org.freedesktop"/>')],
  ["warning eavesdropping", byDefault('<allow receive_type="signal" eavesdrop="true"/>')],
  [
    "warning unrequested-replies",
    byDefault('<allow send_requested_reply="false" send_type="error"/>'),
  ],
  [
    "warning sender-may-be-anybody",
    inContext(
      'context="default"',
      '<allow own="c.d"/><deny receive_type="method_call"/><allow receive_sender="c.d"/><allow send_destination="c.d"/>',
    ),
  ],
  ["warning mandatory-allow", inContext('context="mandatory"', '<allow send_destination="a.b"/>')],
  ["warning anonymous-peers", `<allow_anonymous/>${BASE}${GOOD}`],
  // What denies others than it means.
  ["warning deny-without-destination", byDefault('<deny send_interface="a.b"/>')],
  ["warning deny-without-sender", byDefault('<deny receive_interface="a.b"/>')],
  [
    "warning deny-requested-replies",
    byDefault('<deny send_requested_reply="true" send_type="error" send_destination="a.b"/>'),
  ],
  ["error forgets-others", byDefault('<deny send_broadcast="true"/>')],
  ["error forgets-others", inContext('user="bin"', '<allow receive_sender="*" max_fds="0"/>')],
  // What does nothing.
  ["error never-fits", byDefault('<allow send_destination="a.*"/>')],
  ["error never-fits", byDefault('<allow send_destination="a.b" send_interface="nodots"/>')],
  ["error never-fits", byDefault('<allow send_destination="a.b" send_path="a/b"/>')],
  ["error never-fits", inContext('user="bin"', '<allow own=":1.5"/>')],
  ["error never-fits", inContext('user="bin"', '<allow own_prefix="a."/>')],
  [
    "error contradicts-itself",
    byDefault('<allow send_destination="a.b" min_fds="2" max_fds="1"/>'),
  ],
  [
    "error contradicts-itself",
    byDefault('<allow send_type="method_return" send_error="a.b" send_destination="a.b"/>'),
  ],
  ["warning unique-name", byDefault('<allow send_destination=":1.5"/>')],
  [
    "warning never-decides",
    byDefault('<allow send_destination="a.b"/><deny send_destination="a.b"/>'),
  ],
  [
    "warning never-decides",
    inContext(
      'user="bin"',
      '<allow own="c.d"/><deny own_prefix="c"/><allow send_destination="c.d"/>',
    ),
  ],
  [
    "warning never-decides",
    `${byDefault("")}<policy context="mandatory"><deny send_destination="a.b"/></policy>`,
  ],
  [
    "note log-without-effect",
    byDefault('<deny send_destination="a.b" send_interface="x.y" log="true"/>'),
  ],
  ["note name-without-owner", byDefault('<allow send_destination="a.bb"/>')],
  ["note owner-without-caller", inContext('user="root"', '<allow own="c.d"/>')],
  // For whom.
  ["warning unknown-account", inContext('user="there is no such user"', '<allow own="a.b"/>')],
  ["note unknown-account", inContext('group="there is no such group"', '<allow own="a.b"/>')],
  ["warning at-console", inContext('at_console="true"', '<allow send_destination="a.b"/>')],
])("%s", (expected, text) => {
  expect(lint(text)).toContain(expected);
});

const ROOT_OWNS = '<policy user="root"><allow own="a.b"/></policy>';

test.each([
  [
    "agents have no names, and root calls them",
    inContext('user="root"', '<allow send_interface="a.b.Agent"/>'),
  ],
  [
    "so does the user of a service",
    inContext(
      'user="bin"',
      '<allow own="c.d"/><allow send_destination="c.d"/><allow send_interface="c.d.Agent"/>',
    ),
  ],
  ["signals mostly go to everybody", byDefault('<allow send_interface="a.b" send_type="signal"/>')],
  [
    "denied in general, and then what is allowed, as systemd has it",
    `${BASE}${ROOT_OWNS}<policy context="default"><deny send_destination="a.b"/>
<allow send_destination="a.b" send_interface="c.d"/></policy>`,
  ],
  [
    "what is allowed twice",
    inContext('user="root"', '<allow send_destination="a.b"/><allow receive_sender="a.b"/>'),
  ],
  ["what may be received anyway", byDefault('<allow receive_sender="a.b"/>')],
  [
    "one method of a service",
    byDefault('<deny send_destination="a.b" send_interface="c.d" send_member="Reboot"/>'),
  ],
  ["a prefix of names", byDefault('<allow send_destination_prefix="a.b"/>')],
  ["a project's own names", inContext('user="root"', '<allow own_prefix="a.b"/>')],
  ["who may connect", byDefault('<allow user="root"/><deny group="daemon"/>')],
])("nothing: %s", (_why, text) => {
  expect(lint(text)).toEqual([]);
});

test("what is allowed anyway is no hole of its own", () => {
  const rules = '<allow send_path="/p"/><allow send_path="/p" send_interface="x.y"/>';
  expect(lint(byDefault(rules))).toEqual(["warning send-without-destination"]);
});

test("a finding says where, what follows, and what to write instead, with the name of the service", () => {
  const path = written(
    "bus.conf",
    `<busconfig><type>system</type><listen>unix:path=/x</listen>${BASE}<includedir>inc</includedir></busconfig>`,
  );
  const file = written(
    "inc/service.conf",
    `<busconfig>
<policy user="root"><allow own="a.b.Service"/></policy>
<policy context="default"><allow send_destination="a.b.Service"/>
<allow   send_interface = 'a.b'/></policy></busconfig>`,
  );
  expect(lintFile(path)).toEqual([
    {
      level: "warning",
      code: "send-without-destination",
      origin: { file, line: 4, element: '<allow send_interface="a.b">' },
      text: expect.stringContaining("everybody may send this to every service"),
      advice: '<allow send_destination="a.b.Service" send_interface="a.b"/>',
    },
  ]);
  const before = written("inc/another.conf", "<busconfig><policy/></busconfig>");
  written("inc/service.conf", "<busconfig/>");
  expect(lintFile(path).map(({ code, origin }) => [code, origin.file])).toEqual([
    ["file-left-out", before],
  ]);
  rmSync(join(folder, "inc"), { recursive: true });
});

test("two files about one name", () => {
  const path = written(
    "bus.conf",
    `<busconfig><type>system</type><listen>unix:path=/x</listen>${BASE}${GOOD}<include>more.conf</include></busconfig>`,
  );
  const more = (user: string): string =>
    `<busconfig><policy user="${user}"><allow own="a.b"/></policy></busconfig>`;
  written("more.conf", more("bin"));
  expect(lintFile(path).map(({ level, code }) => `${level} ${code}`)).toEqual([
    "warning owned-twice",
  ]);
  written("more.conf", more("root"));
  expect(lintFile(path).map(({ level, code }) => `${level} ${code}`)).toEqual(["note owned-twice"]);
});

test("a service whose name nobody may own", () => {
  written("services/a.b.service", "[D-BUS Service]\nName=a.b\nExec=/bin/true\nUser=bin\n");
  const file = written(
    "services/c.d.service",
    "[D-BUS Service]\nName=c.d\nExec=/bin/true\nUser=bin\n",
  );
  const path = written(
    "bus.conf",
    `<busconfig><type>system</type><listen>unix:path=/x</listen><servicedir>services</servicedir>${BASE}${GOOD}</busconfig>`,
  );
  expect(lintFile(path)).toEqual([
    expect.objectContaining({
      code: "service-without-owner",
      origin: { file, line: 0, element: "Name=c.d" },
      advice: '<policy user="bin"><allow own="c.d"/></policy>',
    }),
  ]);
});

test("what a session bus allows is no hole: everybody on it is the same user", () => {
  const text = `<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy>`;
  expect(lint(text, "session")).toEqual([]);
  expect(lint(text)).toEqual([
    "error everything-allowed",
    "error everything-owned",
    "warning eavesdropping",
  ]);
});

test.each(["session", "system"] as const)("nothing: the standard %s configuration", (kind) => {
  const path = written(
    `${kind}.conf`,
    // Without what is installed on this machine.
    builtInConfiguration[kind].replace(/<includedir>.*|<standard_.*_servicedirs\/>/g, ""),
  );
  expect(lintFile(path)).toEqual([]);
});

/** These policies are of packages that others have looked at before us. */
const STANDARD_FILES = [
  "/usr/share/dbus-1/system.conf",
  "/usr/share/dbus-1/session.conf",
  "/usr/share/dbus-1/system.d/org.freedesktop.hostname1.conf",
  "/usr/share/dbus-1/system.d/org.freedesktop.login1.conf",
  "/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf",
  "/usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf",
];

for (const file of STANDARD_FILES) {
  testWithProgram(file, `no error and no warning: ${file}`, () => {
    const isWhole = !file.includes("system.d/");
    const path = isWhole
      ? file
      : written(
          "standard.conf",
          `<busconfig><type>system</type><listen>unix:path=/x</listen>${BASE}<include>${file}</include></busconfig>`,
        );
    // Whoever has installed other packages may have found something in those.
    const found = lintFile(path).filter(({ origin }) => origin.file === file);
    const known = found.filter(({ code }) => code !== "unknown-account");
    expect(known.filter(({ level }) => level !== "note")).toEqual([]);
    expect(existsSync(file)).toBe(true);
  });
}

test("every code has been found in these tests, and is told in the documentation", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/policy.md"), "utf8");
  const documented = [...page.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, code]) => code);
  expect(documented.sort()).toEqual([...FINDING_CODES].sort());
  expect([...met].sort()).toEqual([...FINDING_CODES].sort());
});

test.each([
  // A rule, another one that comes later, and whether that fits whatever the first one fits.
  ['allow own="a.b"', 'deny own="a.b"', true],
  ['allow own="a.b.c"', 'deny own_prefix="a.b"', true],
  ['allow own="a.bc"', 'deny own_prefix="a.b"', false],
  ['allow own_prefix="a.b"', 'deny own="a.b"', false],
  ['allow own_prefix="a.b.c"', 'deny own_prefix="a.b"', true],
  ['allow own="*"', 'deny own="a.b"', false],
  ['deny send_interface="a.b"', 'allow send_interface="a.b"', false],
  ['allow send_interface="a.b"', 'deny send_interface="a.b"', true],
  ['deny send_destination="a.b" send_interface="a.b"', 'allow send_destination="a.b"', true],
  ['allow send_destination="a.b"', 'deny send_destination="a.b" send_type="signal"', false],
  [
    'allow send_destination="a.b" send_path="/a"',
    'deny send_destination="a.b" send_path="/b"',
    false,
  ],
  ['allow send_destination="a.b" max_fds="1"', 'deny send_destination="a.b" max_fds="2"', true],
  ['allow send_destination="a.b" max_fds="2"', 'deny send_destination="a.b" max_fds="1"', false],
  ['allow send_destination="a.b"', 'deny send_broadcast="false" send_destination="a.b"', false],
  ['allow send_type="error"', 'deny send_type="error"', false],
  ['allow send_type="error"', 'deny send_type="error" send_requested_reply="true"', true],
  ['deny send_type="error" send_requested_reply="true"', 'allow send_type="error"', false],
  ['deny send_type="error"', 'allow send_type="error"', false],
  [
    'deny send_type="error" send_requested_reply="true"',
    'allow send_type="error" send_requested_reply="false"',
    true,
  ],
  ['allow receive_sender="a.b"', 'deny receive_sender="a.b"', true],
  ['allow receive_sender="a.b"', 'deny receive_sender="a.b" eavesdrop="true"', false],
  ['allow receive_sender="a.b"', 'deny send_destination="a.b"', false],
])("<%s> is covered by <%s>: %s", (inner, outer, expected) => {
  const { rules } = policyOf(`<policy context="default"><${inner}/><${outer}/></policy>`);
  const [first, second] = rules as [PolicyRule, PolicyRule]; // as many as were written
  expect(covers(second, first)).toBe(expected);
});

/** Rules, and what of the first one another one takes over (0), leaves out (1), or has as a third one has it (2). */
const pairs = fc.tuple(
  policyRules.filter(({ length }) => length > 1),
  fc.array(fc.constantFrom(0, 0, 1, 2), { minLength: 13, maxLength: 13 }),
);
const VALUES = ["allows", "minUnixFds", "maxUnixFds", "requestedReply", "eavesdrop"];
const OPTIONAL = [
  "type",
  "path",
  "interface",
  "member",
  "errorName",
  "name",
  "destination",
  "sender",
];

/** Two rules of which the second one is about much the same as the first. */
function pairOf([rules, choices]: [PolicyRule[], number[]]): readonly [PolicyRule, PolicyRule] {
  const context = { kind: "default" } as const;
  const inner: Record<string, unknown> = { ...rules[0], context };
  const third: Record<string, unknown> = { ...rules[1] };
  const outer = { ...inner };
  for (const [at, field] of [...VALUES, ...OPTIONAL].entries()) {
    if (!(field in inner)) continue;
    if (choices[at] === 1 && OPTIONAL.includes(field)) outer[field] = null;
    if (choices[at] !== 0 && VALUES.includes(field)) outer[field] = third[field] ?? inner[field];
    if (choices[at] === 2 && field in third) outer[field] = third[field];
  }
  // Made of fields of rules of the same kind, or left out where that is allowed.
  return [inner, outer] as unknown as readonly [PolicyRule, PolicyRule];
}

test("a rule that is covered by a later one never decides", () => {
  const replies: readonly number[] = [MessageType.MethodReturn, MessageType.Error];
  let compared = 0;
  fc.assert(
    fc.property(pairs, peer, peer, message, (drawn, sender, receiver, asked) => {
      const [inner, outer] = pairOf(drawn);
      if (!covers(outer, inner)) return;
      const isReply = replies.includes(asked.type);
      const isAboutReplies =
        "type" in inner && (replies.includes(inner.type ?? 0) || inner.errorName !== null);
      // Programs send no other replies, and eavesdropping is left aside; so are replies, but for rules about them.
      if (asked.isOverheard || isReply !== (asked.isRequestedReply !== null)) return;
      if (isReply && !isAboutReplies) return;
      compared++;
      const policy = new PolicyExplainer({ rules: [inner, outer] });
      const steps = [
        ...policy.message(sender, receiver, asked).steps,
        policy.receive(receiver, sender.names, asked),
        ...["a.b", "a.b.c", "a.bc", "d.e", "x.y"].flatMap((name) => policy.own(sender, name).steps),
      ];
      for (const { decidedBy } of steps) expect(decidedBy).not.toBe(inner);
    }),
    { numRuns: 10_000 },
  );
  expect(compared).toBeGreaterThan(300);
});
