/** The narrowest policy that would allow what was denied, where one can be written down. */

import type { PolicyMessage, PolicyRule } from "../../bus/index.ts";
import { MessageType } from "../../wire/protocol.ts";
import { userNameOf } from "../process-facts.ts";
import { ANYTHING_ELSE } from "./asked-message.ts";
import type { Answer } from "./why.ts";

/** null: it is allowed, or no policy for the sender's user would do. */
export function suggestedPolicy(answer: Answer): string | null {
  const userId = answer.sender.peer?.userId ?? null;
  if (userId === null) return null;
  switch (answer.about) {
    case "connect":
      return null;
    case "own":
      if (answer.judgement.isAllowed || overridesUsers(answer.judgement.decidedBy)) return null;
      return policyFor(userId, { own: answer.name });
    case "message": {
      const [{ explanation }, ...others] = answer.cases;
      const sent = explanation.steps.find(({ asked }) => asked === "send");
      if (others.length > 0 || sent === undefined || sent.isAllowed) return null;
      if (overridesUsers(sent.decidedBy)) return null;
      return forCall(userId, answer.receiver.text, answer.asked);
    }
  }
}

/** Of a call only: other messages need more thought than a line can give. */
function forCall(userId: number, name: string, asked: PolicyMessage): string | null {
  if (asked.type !== MessageType.MethodCall || asked.isOverheard || name.startsWith(":"))
    return null;
  const { interface: interfaceName, member } = asked;
  // A rule that allows an interface does not fit a call without one.
  if (interfaceName === null || interfaceName === ANYTHING_ELSE)
    return policyFor(userId, { send_destination: name });
  return policyFor(userId, {
    send_destination: name,
    send_interface: interfaceName,
    ...(member !== ANYTHING_ELSE && member !== null && { send_member: member }),
  });
}

/** Do rules like that count more than all that are for a user? */
function overridesUsers(rule: PolicyRule | null): boolean {
  return rule !== null && ["mandatory", "console"].includes(rule.context.kind);
}

function policyFor(userId: number, attributes: Readonly<Record<string, string>>): string {
  const written = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`);
  return `<policy user="${userNameOf(userId)}"><allow${written.join("")}/></policy>`;
}
