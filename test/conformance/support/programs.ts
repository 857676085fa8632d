/** Which programs of others are here. */

import { existsSync } from "node:fs";
import { join } from "node:path";

/** The distribution's interpreter if there is one: it has python3-dbus, and no version manager in front of it. */
export const PYTHON: string = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

export function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, program)));
}
