/** Debug.Stats: what the bus holds, in dbus-daemon's words. */

import type { Endpoint } from "../../routing/endpoint.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverMethod,
  driverError,
  text,
} from "./call.ts";
import { isPrivileged } from "./privilege.ts";

export const STATISTICS_INTERFACE = "org.freedesktop.DBus.Debug.Stats";

export const statisticsMethods: readonly DriverMethod[] = [
  method("GetStats", "", "a{sv}", (call, context) => [
    // What other users do is for those who could see it anyway; nobody is blamed for having asked.
    isPrivileged(call.sender)
      ? new Map([...context.statistics.ofBus(), ...context.accounting.figures()])
      : context.statistics.ofBus(),
  ]),
  method("GetConnectionStats", "s", "a{sv}", connectionStatistics),
  method("GetAllMatchRules", "", "a{sas}", allMatchRules),
];

function method(
  member: string,
  input: string,
  output: string,
  run: DriverMethod["run"],
): DriverMethod {
  return {
    interface: STATISTICS_INTERFACE,
    member,
    input,
    reads: input,
    output,
    anyPath: false,
    run,
  };
}

function connectionStatistics(call: Call, context: DriverContext): Answer {
  const name = text(call, 0);
  if (name === DRIVER_NAME) {
    const problem = `GetConnectionStats is not meaningful for the message bus "${name}" itself`;
    return driverError("InvalidArgs", problem);
  }
  const endpoint = context.directory.findText(name);
  if (endpoint === null) {
    const problem = `Could not get statistics of name '${name}': no such name`;
    return driverError("NameHasNoOwner", problem);
  }
  return [context.statistics.ofPeer(endpoint)];
}

/** Every peer with a name, those without rules too; monitors are left out, as in dbus-daemon. */
function allMatchRules(_call: Call, context: DriverContext): Answer {
  const registered = (endpoint: Endpoint): boolean => endpoint.isRegistered;
  const peers = [...context.directory.endpoints()].filter(registered);
  return [
    new Map(
      peers.map(({ uniqueName, index }) => [uniqueName, context.subscriptions.rulesOf(index)]),
    ),
  ];
}
