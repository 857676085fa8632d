/** Policies as configuration files have them, for tests. */

import type { Policy, PolicyRule } from "../../../bus/index.ts";
import { readPolicy } from "../../../compat/dbus-daemon/policy-elements.ts";
import { parseXml } from "../../../xml/parse.ts";

/** What `<policy>` elements say, as if they were in `test.conf`. */
export function policyOf(text: string): Policy {
  const { root, problem } = parseXml(`<busconfig>${text}</busconfig>`);
  if (problem !== null) throw new Error(problem.message);
  return { rules: root.children.flatMap((element) => rulesOf(element)) };
}

function rulesOf(element: Parameters<typeof readPolicy>[0]): readonly PolicyRule[] {
  const result = readPolicy(element, "test.conf");
  if ("problem" in result) throw new Error(result.problem);
  return result.rules;
}

export const ALLOW_ALL = `<policy context="default"><allow user="*"/>
  <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>`;
