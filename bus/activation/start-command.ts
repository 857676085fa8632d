/** Which program is run to start a service: its own, or a helper that becomes the service's user first. */

import type { GatewayFailure } from "../../routing/gateway.ts";
import { parseCommandLine } from "./command-line.ts";
import { failure } from "./failure.ts";
import type { ServiceFile } from "./service-file.ts";

/**
 * The program and its arguments, or why there are none.
 *
 * The helper is given the name and finds the service file itself: a bus without rights cannot tell it to run
 * anything else. It refuses files without `User=`, and so does dbus-daemon before it asks.
 */
export function startCommand(
  file: ServiceFile,
  helper: string | null,
): readonly string[] | GatewayFailure {
  if (helper !== null && file.user === null) {
    return failure("Spawn.FileInvalid", "Cannot do system-bus activation with no user\n");
  }
  const words = parseCommandLine(helper === null ? file.exec : `${helper} ${file.name}`);
  return "problem" in words ? failure("InvalidArgs", words.problem) : words;
}
