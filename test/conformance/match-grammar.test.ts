/** Which texts are match rules, and what AddMatch and RemoveMatch say about the others. */

import { expect } from "@jest/globals";
import { conformance, expectError, useBus } from "./support/conformance.ts";
import { Type } from "./support/wire.ts";

useBus();

const RULES = "Match Rules";
const NO_EAVESDROP = { "dbus-broker": "it does not know eavesdrop" } as const;

const ACCEPTED: readonly string[] = [
  "",
  "type='signal'",
  "type='signal',",
  "type='method_call'",
  "type='method_return'",
  "type='error'",
  "type=signal",
  "sender='org.freedesktop.DBus'",
  "sender=':1.5'",
  "sender='org.example.Nobody'",
  "interface='org.example.I'",
  "member='M'",
  "path='/'",
  "path='/a/b_1'",
  "path_namespace='/'",
  "path_namespace='/a'",
  "destination=':1.5'",
  "destination='org.x.Y'",
  "arg0=''",
  "arg63='x'",
  "arg00='x'",
  "arg0path='/aa/'",
  "arg1path='x'",
  "arg63path='/'",
  "arg0namespace='a'",
  "arg0namespace='a.b.c'",
  "arg0namespace=':1.5'",
  "arg0='a,b'",
  "arg0='a\\b'",
  "arg0=It\\'s",
  "arg0='a'\\''b'",
  "arg0='ünïcödé'",
  "arg0='a=b'",
  "=",
  "type='signal',sender='org.x.Y',interface='org.x.I',member='M',path='/a',arg0='x',arg1path='/'",
  `arg0='${"y".repeat(1010)}'`,
  "  type='signal'",
  "type='signal', member='M'",
];

for (const rule of ACCEPTED) {
  conformance(
    `The rule ${shown(rule)} can be added and removed`,
    { spec: RULES },
    async (scene) => {
      const client = await scene.client();
      for (const method of ["AddMatch", "RemoveMatch"]) {
        const reply = await client.call(method, { signature: "s", arguments: [rule] });
        expect([reply.type, reply.signature]).toEqual([Type.Return, ""]);
      }
    },
  );
}

for (const rule of [
  "eavesdrop='true'",
  "eavesdrop='false'",
  "eavesdrop='true',eavesdrop='false'",
]) {
  conformance(
    `The rule ${shown(rule)} can be added and removed`,
    { spec: "Match Rules: eavesdrop", excused: NO_EAVESDROP },
    async (scene) => {
      const client = await scene.client();
      await client.addMatch(rule);
      await client.removeMatch(rule);
    },
  );
}

const REFUSED: readonly (readonly [rule: string, text: string])[] = [
  ["type='signal',,member='X'", 'Unknown key ",member" in match rule'],
  [" type = 'signal'", "Invalid message type ( signal) in match rule\n"],
  ["type='signal',type='signal'", "Key type specified twice in match rule\n"],
  ["member='A',member='A'", "Key member specified twice in match rule\n"],
  ["interface='a.b',interface='a.b'", "Key interface specified twice in match rule\n"],
  ["sender='a.b',sender='a.b'", "Key sender specified twice in match rule\n"],
  ["destination='a.b',destination='a.b'", "Key destination specified twice in match rule\n"],
  ["path='/a',path='/a'", "path or path_namespace specified twice in match rule\n"],
  ["path='/a',path_namespace='/a'", "path or path_namespace specified twice in match rule\n"],
  ["type='bogus'", "Invalid message type (bogus) in match rule\n"],
  ["type=''", "Invalid message type () in match rule\n"],
  ["arg0='a',arg0='b'", "Argument arg0 matched more than once in match rule\n"],
  ["arg0='a',arg0path='/a'", "Argument arg0path matched more than once in match rule\n"],
  ["arg0='a',arg0namespace='a'", "Argument arg0namespace matched more than once in match rule\n"],
  ["arg64='x'", "Key 'arg64' in match rule has arg number 64 but the maximum is 63."],
  ["arg1namespace='a'", "Key 'arg1namespace' in match rule contains junk after argument number"],
  ["arg0foo='a'", "Key 'arg0foo' in match rule contains junk after argument number"],
  ["arg0namespace=''", "arg0namespace='' is not a valid prefix of a bus name"],
  ["arg0namespace='a..b'", "arg0namespace='a..b' is not a valid prefix of a bus name"],
  ["path_namespace='/a/'", "Path '/a/' is invalid\n"],
  ["path='a'", "Path 'a' is invalid\n"],
  ["path=''", "Path '' is invalid\n"],
  ["interface='nodots'", "Interface name 'nodots' is invalid\n"],
  ["member='a.b'", "Member name 'a.b' is invalid\n"],
  ["member='A' ", "Member name 'A ' is invalid\n"],
  ["member=", "Member name '' is invalid\n"],
  ["sender='nodots'", "Sender name 'nodots' is invalid\n"],
  ["destination='nodots'", "Destination name 'nodots' is invalid\n"],
  ["eavesdrop='yes'", "eavesdrop='yes' is invalid, it should be 'true' or 'false'\n"],
  ["unknown='x'", 'Unknown key "unknown" in match rule'],
  ["Type='signal'", 'Unknown key "Type" in match rule'],
  ["member='It\\'s'", "Unbalanced quotation marks in match rule"],
  ["arg0='unterminated", "Unbalanced quotation marks in match rule"],
  ["x", "Match rule has a key with no subsequent '=' character"],
  ["interface='org.x.Y',member='M',foo", "Match rule has a key with no subsequent '=' character"],
];

for (const [rule, text] of REFUSED) {
  conformance(`The rule ${shown(rule)} is a MatchRuleInvalid`, { spec: RULES }, async (scene) => {
    const client = await scene.client();
    for (const method of ["AddMatch", "RemoveMatch"]) {
      const refusal = await client.call(method, { signature: "s", arguments: [rule] });
      expectError(refusal, "MatchRuleInvalid", text);
    }
  });
}

conformance(
  "An argument key without a number is a MatchRuleInvalid",
  { spec: RULES, excused: { "dbus-broker": "arg= means arg0= there" } },
  async (scene) => {
    const client = await scene.client();
    const refusal = await client.call("AddMatch", { signature: "s", arguments: ["arg='x'"] });
    expectError(
      refusal,
      "MatchRuleInvalid",
      "Key 'arg' in match rule starts with 'arg' but lacks an arg number.",
    );
  },
);

conformance(
  "A rule of more than 1024 bytes exceeds a limit",
  { spec: "dbus-daemon", excused: { "dbus-broker": "it calls such a rule invalid" } },
  async (scene) => {
    const client = await scene.client();
    const rule = `arg0='${"y".repeat(1040)}'`;
    const refusal = await client.call("AddMatch", { signature: "s", arguments: [rule] });
    expectError(refusal, "LimitsExceeded", "Match rule text is 1047 bytes, maximum is 1024");
  },
);

conformance(
  "Removing a rule that was never added is a MatchRuleNotFound",
  { spec: "RemoveMatch" },
  async (scene) => {
    const client = await scene.client();
    await client.addMatch("member='A'");
    const refusal = await client.call("RemoveMatch", { signature: "s", arguments: ["member='B'"] });
    expectError(
      refusal,
      "MatchRuleNotFound",
      "The given match rule wasn't found and can't be removed",
    );
  },
);

conformance("Another peer's rule cannot be removed", { spec: "RemoveMatch" }, async (scene) => {
  const [owner, other] = [await scene.client(), await scene.client()];
  await owner.addMatch("member='Mine'");
  const refusal = await other.call("RemoveMatch", { signature: "s", arguments: ["member='Mine'"] });
  expectError(refusal, "MatchRuleNotFound");
});

conformance(
  "A rule added twice can be removed twice, and no more",
  { spec: "RemoveMatch" },
  async (scene) => {
    const client = await scene.client();
    const rule = "type='signal',member='Twice'";
    await client.addMatch(rule);
    await client.addMatch(rule);
    await client.removeMatch(rule);
    await client.removeMatch(rule);
    expectError(
      await client.call("RemoveMatch", { signature: "s", arguments: [rule] }),
      "MatchRuleNotFound",
    );
  },
);

for (const [added, removed] of [
  ["type='signal',member='M'", "member='M',type='signal'"],
  ["member='M'", "member=M"],
  ["member='M'", "member='M',"],
  ["arg0='a'", "arg00='a'"],
] as const) {
  conformance(
    `${shown(added)} can be removed as ${shown(removed)}`,
    { spec: "RemoveMatch" },
    async (scene) => {
      const client = await scene.client();
      await client.addMatch(added);
      await client.removeMatch(removed);
    },
  );
}

function shown(rule: string): string {
  return rule.length > 60 ? `${rule.slice(0, 40)}… (${rule.length} bytes)` : `"${rule}"`;
}
