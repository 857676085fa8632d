/** Who is behind a name: what the kernel said when the peer connected. */

import type { Credentials } from "../../transport/credentials.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import { Variant } from "../../wire/variant.ts";
import {
  type Answer,
  type Call,
  type DriverContext,
  type DriverError,
  type DriverMethod,
  driverError,
  text,
} from "./call.ts";

export const credentialMethods: readonly DriverMethod[] = [
  method("GetConnectionUnixUser", "u", unixUser),
  method("GetConnectionUnixProcessID", "u", unixProcessId),
  method("GetConnectionCredentials", "a{sv}", allCredentials),
  method("GetAdtAuditSessionData", "ay", auditSessionData),
  method("GetConnectionSELinuxSecurityContext", "ay", securityContext),
];

/** The identity that a question is about, or the error for a name that leads nowhere. */
type Subject = Pick<
  Credentials,
  "processId" | "userId" | "groups" | "securityLabel" | "processDescriptor"
>;

function method(member: string, output: string, run: DriverMethod["run"]): DriverMethod {
  return { interface: DRIVER_NAME, member, input: "s", reads: "s", output, anyPath: true, run };
}

/** The bus answers for itself with its own process, as the user that it may have become since its start. */
function busItself(): Subject {
  return {
    processId: process.pid,
    userId: process.geteuid?.() ?? null,
    groups: null,
    securityLabel: null,
    processDescriptor: null,
  };
}

function subjectOf(call: Call, context: DriverContext, what: string): Subject | DriverError {
  const name = text(call, 0);
  if (name === DRIVER_NAME) return busItself();
  const endpoint = context.directory.findText(name);
  if (endpoint !== null) return endpoint.connection.credentials;
  return driverError("NameHasNoOwner", `Could not get ${what} of name '${name}': no such name`);
}

function unixUser(call: Call, context: DriverContext): Answer {
  const subject = subjectOf(call, context, "UID");
  if ("error" in subject) return subject;
  if (subject.userId !== null) return [subject.userId];
  return driverError("Failed", `Could not determine UID for '${text(call, 0)}'`);
}

function unixProcessId(call: Call, context: DriverContext): Answer {
  const subject = subjectOf(call, context, "PID");
  if ("error" in subject) return subject;
  if (subject.processId !== null) return [subject.processId];
  return driverError("UnixProcessIdUnknown", `Could not determine PID for '${text(call, 0)}'`);
}

/** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-get-connection-credentials */
function allCredentials(call: Call, context: DriverContext): Answer {
  const found = subjectOf(call, context, "credentials");
  if ("error" in found) return found;
  const endpoint = context.directory.findText(text(call, 0));
  const subject = endpoint === null ? found : endpoint.connection.readCredentials();
  const { processId, userId, groups, securityLabel, processDescriptor } = subject;
  const values = new Map<string, Variant>();
  if (processId !== null) values.set("ProcessID", new Variant("u", processId));
  if (userId !== null) values.set("UnixUserID", new Variant("u", userId));
  if (groups !== null) values.set("UnixGroupIDs", new Variant("au", groups));
  if (securityLabel !== null) values.set("LinuxSecurityLabel", new Variant("ay", securityLabel));
  if (processDescriptor === null) return [values];
  if (!call.wantsReply || !call.sender.connection.passesDescriptors) {
    processDescriptor.close();
    return [values];
  }
  values.set("ProcessFD", new Variant("h", 0));
  const descriptors = [processDescriptor.take()];
  context.outgoing.methodReturnWith(call.sender, call.serial, "a{sv}", [values], descriptors);
  return null;
}

/** Solaris has audit data; Linux does not. */
function auditSessionData(call: Call, context: DriverContext): Answer {
  const subject = subjectOf(call, context, "audit session data");
  if ("error" in subject) return subject;
  return driverError(
    "AdtAuditDataUnknown",
    `Could not determine audit session data for '${text(call, 0)}'`,
  );
}

/** A security label is handed out by GetConnectionCredentials; this bus mediates nothing by SELinux. */
function securityContext(call: Call, context: DriverContext): Answer {
  const subject = subjectOf(call, context, "security context");
  if ("error" in subject) return subject;
  return driverError(
    "SELinuxSecurityContextUnknown",
    `Could not determine security context for '${text(call, 0)}'`,
  );
}
