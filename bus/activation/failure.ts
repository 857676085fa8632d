/** Why a service was not started, in dbus-daemon's words: names of errors and their texts. */

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import type { GatewayFailure } from "../../routing/gateway.ts";
import { helperFailure } from "./helper-status.ts";
import type { LaunchEnd } from "./launcher.ts";

/** The C library's words, which dbus-daemon passes on, for what execve(2) says; Node's differ in case or more. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  E2BIG: "Argument list too long",
  EACCES: "Permission denied",
  EAGAIN: "Resource temporarily unavailable",
  EISDIR: "Is a directory",
  ELOOP: "Too many levels of symbolic links",
  EMFILE: "Too many open files",
  ENAMETOOLONG: "File name too long",
  ENFILE: "Too many open files in system",
  ENOENT: "No such file or directory",
  ENOEXEC: "Exec format error",
  ENOMEM: "Cannot allocate memory",
  ENOTDIR: "Not a directory",
  EPERM: "Operation not permitted",
  ETXTBSY: "Text file busy",
};

/** What was run for a service, and how much of it is told. */
export interface FailedStart {
  readonly name: string;
  readonly usesHelper: boolean;
  readonly tellsOutput: boolean;
}

/** The failure of a service that ended before it had its name; null if it may have gone to the background. */
export function failureOf(
  { name, usesHelper, tellsOutput }: FailedStart,
  end: LaunchEnd,
): GatewayFailure | null {
  if ("errorCode" in end) {
    const why = SYSTEM_ERRORS[end.errorCode] ?? describe(end.errorCode);
    return failure("Spawn.ExecFailed", `Failed to execute program ${name}: ${why}`);
  }
  const printed =
    tellsOutput && end.lastLines.length > 0 ? `; it printed: ${end.lastLines.join(" | ")}` : "";
  if ("signal" in end) {
    const number = constants.signals[end.signal];
    const text = `Process ${name} received signal ${number} (${end.signal})${printed}`;
    return failure("Spawn.ChildSignaled", text);
  }
  if (end.exitCode === 0) return null;
  const [error, text] = usesHelper
    ? helperFailure(end.exitCode)
    : ["Spawn.ChildExited", `Process ${name} exited with status ${end.exitCode}`];
  return failure(error, text + printed);
}

export function timedOut(name: string, timeoutMs: number, hint: string): GatewayFailure {
  const text = `Failed to activate service '${name}': timed out (service_start_timeout=${timeoutMs}ms)${hint}`;
  return failure("TimedOut", text);
}

export function tooManyStarts(name: string, limit: number): GatewayFailure {
  const text = `The maximum number of pending activations has been reached, activation of ${name} failed (max_pending_service_starts=${limit})`;
  return failure("LimitsExceeded", text);
}

/** `error`: its name without `org.freedesktop.DBus.Error.`. */
export function failure(error: string, text: string): GatewayFailure {
  return { errorName: `org.freedesktop.DBus.Error.${error}`, text };
}

function describe(code: string): string {
  for (const [name, text] of getSystemErrorMap().values()) if (name === code) return text;
  return code;
}
