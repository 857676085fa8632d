/** Where service files are, and which names they make activatable. */

import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { describeError } from "./system-error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** `$XDG_RUNTIME_DIR/dbus-1/services`, for service files that last as long as the session; or `null`. */
export function transientServiceDirectory(environment: Environment): string | null {
  const runtime = environment["XDG_RUNTIME_DIR"] ?? "";
  return runtime === "" ? null : `${runtime}/dbus-1/services`;
}

/** The directories of `<standard_session_servicedirs>` after the transient one, first come first. */
export function sessionServiceDirectories(environment: Environment): string[] {
  const home = environment["XDG_DATA_HOME"] ?? join(homedir(), ".local/share");
  const shared = environment["XDG_DATA_DIRS"] ?? "/usr/local/share:/usr/share";
  // The last one is where dbus itself is installed, whatever XDG_DATA_DIRS says.
  return `${home}:${shared}:/usr/share`
    .split(":")
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, "dbus-1/services"));
}

/** The directories of `<standard_system_servicedirs>`: fixed, because the environment is not trusted. */
export function systemServiceDirectories(): string[] {
  return ["/usr/local/share", "/usr/share", "/lib"].map((directory) =>
    join(directory, "dbus-1/system-services"),
  );
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

/**
 * The names for which the service files in some directories say how to start their owner. A directory
 * is read again when files came or went; a file changed in place is noticed after {@link forget}.
 */
export class ServiceNames {
  #directories: readonly string[];
  readonly #read: Map<string, { readonly changed: number; readonly names: readonly string[] }>;

  constructor(directories: readonly string[]) {
    this.#directories = directories;
    this.#read = new Map();
  }

  /** Every name once, in the order of the directories. */
  list(): readonly string[] {
    return [...new Set(this.#directories.flatMap((directory) => this.#namesIn(directory)))];
  }

  /** Reads everything again next time, from these directories. */
  forget(directories: readonly string[]): void {
    this.#directories = directories;
    this.#read.clear();
  }

  #namesIn(directory: string): readonly string[] {
    try {
      const changed = statSync(directory).mtimeMs;
      const known = this.#read.get(directory);
      if (known?.changed === changed) return known.names;
      const names = readdirSync(directory)
        .filter((file) => file.endsWith(".service"))
        .sort()
        .flatMap((file) => nameInServiceFile(join(directory, file)) ?? []);
      this.#read.set(directory, { changed, names });
      return names;
    } catch {
      // Most of the standard directories do not exist on most machines.
      return [];
    }
  }
}

function nameInServiceFile(path: string): string | null {
  try {
    return parseServiceName(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/** `Name` of a service file that can be started, or `null`. Such a file has `Exec` even for systemd. */
export function parseServiceName(text: string): string | null {
  let isInside = false;
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line.startsWith("[")) isInside = line.trimEnd() === "[D-BUS Service]";
    const equals = line.indexOf("=");
    if (!isInside || line.startsWith("#") || equals === -1) continue;
    const key = line.slice(0, equals).trim();
    if (!values.has(key)) values.set(key, line.slice(equals + 1).trim());
  }
  const name = values.get("Name") ?? "";
  const isWellKnown = name.length <= 255 && /^[A-Za-z_-][\w-]*(\.[A-Za-z_-][\w-]*)+$/.test(name);
  return isWellKnown && values.has("Exec") ? name : null;
}
