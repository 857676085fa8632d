/** What the processes that the bus starts will find in their environment. */

import { DRIVER_NAME } from "../../wire/protocol.ts";
import type { Answer, Call, DriverContext, DriverMethod } from "./call.ts";

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

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-update-activation-environment */
function updateActivationEnvironment(call: Call, context: DriverContext): Answer {
  context.environment.update(call.values[0] as ReadonlyMap<string, string>); // it is `a{ss}`
  return [];
}
