/** What the processes that the bus starts will find in their environment. */

import { DRIVER_NAME } from "../../wire/protocol.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverMethod,
  driverError,
} from "./call.ts";

export const environmentMethods: readonly DriverMethod[] = [
  {
    interface: DRIVER_NAME,
    member: "UpdateActivationEnvironment",
    input: "a{ss}",
    reads: "a{ss}",
    output: "",
    anyPath: false,
    isPrivileged: true,
    run: updateActivationEnvironment,
  },
];

/**
 * Not where services are started by a helper, which gives them an environment of its own: so the variables would
 * change only what is found by a helper with more rights than the caller has.
 * https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-update-activation-environment
 */
function updateActivationEnvironment(call: Call, context: DriverContext): Answer {
  if (context.activation.usesHelper) {
    return driverError("AccessDenied", "Cannot change activation environment on a system bus.");
  }
  context.environment.update(call.values[0] as ReadonlyMap<string, string>); // it is `a{ss}`
  return [];
}
