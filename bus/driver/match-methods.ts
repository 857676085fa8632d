/** Subscribing to messages, and ending it. */

import { parseMatchRule } from "../../matchrules/parse.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import { Resource } from "../user.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverMethod,
  driverError,
  text,
} from "./call.ts";
import { refusalOf } from "./privilege.ts";

export const matchMethods: readonly DriverMethod[] = [
  method("AddMatch", addMatch),
  method("RemoveMatch", removeMatch),
];

function method(member: string, run: DriverMethod["run"]): DriverMethod {
  return { interface: DRIVER_NAME, member, input: "s", reads: "s", output: "", anyPath: true, run };
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-add-match */
function addMatch(call: Call, context: DriverContext): Answer {
  const { subscriptions, limits } = context;
  const limit = limits.maxMatchRulesPerConnection;
  if (subscriptions.ruleCountOf(call.sender.index) >= limit) {
    return driverError(
      "LimitsExceeded",
      `Connection "${call.sender.uniqueName}" is not allowed to add more match rules (increase limits in configuration file if required; max_match_rules_per_connection=${limit})`,
    );
  }
  const rule = parseMatchRule(text(call, 0));
  if ("code" in rule) return driverError(rule.code, rule.text);
  // Other peers' messages are for those only who could watch the whole bus as well.
  const refusal = rule.eavesdrop ? refusalOf(call, context) : null;
  if (refusal !== null) return refusal;
  const share = context.accounting.supplies.refusalFor(call.sender, Resource.MatchRules, 1);
  if (share !== null) return driverError("LimitsExceeded", share);
  subscriptions.add(call.sender.index, rule);
  settleRules(call, context);
  context.statistics.noteRulesOf(call.sender);
  return [];
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-remove-match */
function removeMatch(call: Call, context: DriverContext): Answer {
  const rule = parseMatchRule(text(call, 0));
  if ("code" in rule) return driverError(rule.code, rule.text);
  if (!context.subscriptions.remove(call.sender.index, rule)) {
    const text = "The given match rule wasn't found and can't be removed";
    return driverError("MatchRuleNotFound", text);
  }
  settleRules(call, context);
  return [];
}

function settleRules({ sender }: Call, { accounting, subscriptions }: DriverContext): void {
  accounting.settle(sender, Resource.MatchRules, subscriptions.ruleCountOf(sender.index));
}
