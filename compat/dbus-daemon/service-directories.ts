/** Where service files are. */

import { lstatSync, mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { ServiceDirectory } from "../../bus/index.ts";
import type { Configuration } from "./configuration.ts";
import { describeError } from "./system-error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** `$XDG_RUNTIME_DIR/dbus-1/services`, for service files that last as long as the session; or `null`. */
export function transientServiceDirectory(environment: Environment): string | null {
  const runtime = environment["XDG_RUNTIME_DIR"] ?? "";
  return runtime === "" ? null : `${runtime}/dbus-1/services`;
}

/** The directories of `<standard_session_servicedirs>` after the transient one, first come first. */
export function sessionServiceDirectories(environment: Environment): string[] {
  const home = environment["XDG_DATA_HOME"] ?? ownDataDirectory();
  const shared = environment["XDG_DATA_DIRS"] ?? "/usr/local/share:/usr/share";
  // The last one is where dbus itself is installed, whatever XDG_DATA_DIRS says.
  return `${home}:${shared}:/usr/share`
    .split(":")
    .map((directory) => directory.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, ""))
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, "dbus-1/services"));
}

/** The directories of `<standard_system_servicedirs>`: fixed, because the environment is not trusted. */
export function systemServiceDirectories(): string[] {
  return ["/usr/local/share", "/usr/share", "/lib"].map((directory) =>
    join(directory, "dbus-1/system-services"),
  );
}

/** All of `<standard_session_servicedirs>`; who writes transient files has to name them well. */
export function standardSessionDirectories(environment: Environment): ServiceDirectory[] {
  const transient = transientServiceDirectory(environment);
  return [
    ...(transient === null ? [] : [{ path: transient, mustMatchNames: true }]),
    ...sessionServiceDirectories(environment).map((path) => ({ path })),
  ];
}

/** Below the home that the user database has: $HOME is not asked, as in dbus-daemon. */
function ownDataDirectory(): string {
  try {
    return join(userInfo().homedir, ".local/share");
  } catch {
    // Whom the database does not know has none.
    return "";
  }
}

/**
 * Creates the transient directory that a configuration asks for. What is not ours alone is not looked through:
 * then the configuration that is returned is without it, and `problem` says why.
 */
export function withTransientDirectory(configuration: Configuration): {
  readonly configuration: Configuration;
  readonly problem: string | null;
} {
  const { transientServiceDirectory: path, serviceDirectories } = configuration;
  const problem = path === null ? null : createTransientDirectory(path);
  if (problem === null) return { configuration, problem };
  const others = serviceDirectories.filter((directory) => directory.path !== path);
  return { configuration: { ...configuration, serviceDirectories: others }, problem };
}

/**
 * Creates the transient directory and the one above it, as dbus-daemon does so that others may write
 * there. Returns why not, or `null`; not having it is no reason for a bus not to start.
 */
export function createTransientDirectory(directory: string): string | null {
  const parent = join(directory, "..");
  try {
    for (const path of [join(parent, ".."), parent, directory]) {
      if (path !== join(parent, "..")) mkdirSync(path, { recursive: true, mode: 0o700 });
      const status = lstatSync(path);
      if (!status.isDirectory()) return `"${path}" is not a directory`;
      if (status.uid !== process.geteuid?.()) return `"${path}" belongs to somebody else`;
      if ((status.mode & 0o022) !== 0) return `"${path}" can be written by others`;
    }
    return null;
  } catch (error) {
    return `${directory}: ${describeError(error)}`;
  }
}
