/** BecomeMonitor: a peer gives up everything to watch the whole bus. */

import { parseMatchRule } from "../../matchrules/parse.ts";
import type { MatchRule } from "../../matchrules/rule.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverMethod,
  driverError,
  number,
} from "./call.ts";

export const MONITORING_INTERFACE = "org.freedesktop.DBus.Monitoring";

export const monitoringMethods: readonly DriverMethod[] = [
  {
    interface: MONITORING_INTERFACE,
    member: "BecomeMonitor",
    input: "asu",
    reads: "asu",
    output: "",
    anyPath: false,
    isPrivileged: true,
    run: becomeMonitor,
  },
];

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-become-monitor */
function becomeMonitor(call: Call, context: DriverContext): Answer {
  const { sender, serial, wantsReply } = call;
  if (number(call, 1) !== 0) {
    return driverError("InvalidArgs", "BecomeMonitor does not support any flags yet");
  }
  const texts = call.values[0] as readonly string[]; // the signature begins with `as`
  const rules: MatchRule[] = [];
  for (const text of texts.length === 0 ? [""] : texts) {
    const rule = parseMatchRule(text);
    if ("code" in rule) return driverError(rule.code, rule.text);
    rules.push(rule);
  }
  // Afterwards it has no name that a reply could go to.
  if (wantsReply) context.outgoing.methodReturn(sender, serial, "", []);
  context.becomeMonitor(sender, rules);
  return null;
}
