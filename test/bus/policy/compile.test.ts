/** Which rules hold for whom, in which order. */

import { expect, test } from "@jest/globals";
import { CompiledPolicy, type Identity } from "../../../bus/policy/compile.ts";
import { Strings } from "../../../wire/intern.ts";
import { policyOf } from "./policy-text.ts";

const text = `
<policy context="mandatory"><deny own="name.M"/></policy>
<policy at_console="false"><deny own="name.away"/></policy>
<policy at_console="true"><deny own="name.here"/></policy>
<policy user="games"><deny own="name.U"/></policy>
<policy group="lp"><deny own="name.G7"/></policy>
<policy group="adm"><deny own="name.G4"/></policy>
<policy context="default"><allow own="*"/></policy>`;
const names = ["name.M", "name.away", "name.here", "name.U", "name.G7", "name.G4"];

function deniedTo(identity: Identity, isAtConsole = false): string[] {
  const accounts = { isKnown: () => true, groupsOf: () => [7], isAtConsole: () => isAtConsole };
  const policy = new CompiledPolicy({ ...policyOf(text), accounts }, new Strings());
  const snapshot = policy.snapshotFor(identity);
  return names.filter((name) => !snapshot.mayOwn(name).isAllowed);
}

test.each<[string, number | null, readonly number[] | null, string[]]>([
  ["anybody", 1, [1], ["name.M", "name.away"]],
  ["a user", 5, [60], ["name.M", "name.away", "name.U"]],
  ["members of groups", 1, [4, 7], ["name.M", "name.away", "name.G7", "name.G4"]],
  ["one whose groups the kernel does not tell", 1, null, ["name.M", "name.away", "name.G7"]],
  ["nobody in particular", null, null, ["name.M"]],
])("for %s", (_, userId, groups, expected) => {
  expect(deniedTo({ userId, groups: () => groups })).toEqual(expected);
});

test("at the console others rules hold", () => {
  expect(deniedTo({ userId: 1, groups: () => [] }, true)).toEqual(["name.M", "name.here"]);
});

test("groups are not asked for where no rule is about one", () => {
  const policy = new CompiledPolicy(
    policyOf('<policy context="default"><allow own="*"/></policy>'),
    new Strings(),
  );
  const groups = (): never => {
    throw new Error("asked");
  };
  expect(policy.snapshotFor({ userId: 1, groups }).mayOwn("a.b").isAllowed).toBe(true);
});

test("a rule that names nothing forgets those before it, whatever else it asks for", () => {
  const policy = new CompiledPolicy(
    policyOf(`<policy context="default"><allow own="a.b"/><deny own="*"/></policy>`),
    new Strings(),
  );
  const { fitting } = policy.snapshotFor({ userId: 1, groups: () => [] }).mayOwn("a.b");
  expect(fitting.map(({ origin }) => origin.element)).toEqual(['<deny own="*">']);
});

test("strings that a policy mentions are held as long as it is used", () => {
  const strings = new Strings();
  const before = strings.size;
  const policy = new CompiledPolicy(
    policyOf('<policy context="default"><deny send_interface="a.b" send_member="M"/></policy>'),
    strings,
  );
  expect(strings.size).toBe(before + 2);
  policy.release();
  expect(() => strings.release(strings.findText("a.b"))).toThrow("more often than held");
});
