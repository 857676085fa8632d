/** Who may do what would let one user see or change what belongs to others. */

import type { Endpoint } from "../../routing/endpoint.ts";
import { isPrivilegedUser } from "../user.ts";
import type { Call, DriverContext, DriverError } from "./call.ts";
import { driverError } from "./call.ts";

/** Is this root, or the user that runs the bus? */
export function isPrivileged({ connection }: Endpoint): boolean {
  return isPrivilegedUser(connection.credentials.userId);
}

/**
 * Null for root and for the user that runs the bus, and an error for anybody else, which the log is
 * told as well: on a bus of one user nobody asks this by mistake.
 */
export function refusalOf(call: Call, context: DriverContext): DriverError | null {
  const { sender } = call;
  if (isPrivileged(sender)) return null;
  const { processId, userId } = sender.connection.credentials;
  const uid = userId ?? "unknown";
  const who = `${sender.uniqueName} (${context.policing.processes.describe(sender)})`;
  const text = `rejected attempt to call ${call.member} by connection ${who} with uid ${uid}`;
  const fields = { peer: sender.uniqueName, pid: processId ?? -1, uid: userId ?? -1 };
  context.log({ level: "warning", text, fields });
  return driverError("AccessDenied", text);
}
