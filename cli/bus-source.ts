/** What the commands that start a bus have in common: where its options come from. */

import type { LogEntry, ServiceDirectory, StartOptions } from "../bus/index.ts";
import { busOptionsOf } from "../compat/dbus-daemon/bus-options.ts";
import { loadConfiguration } from "../compat/dbus-daemon/config-file.ts";
import { describeProblem, describeUnenforcedLimits } from "../compat/dbus-daemon/configuration.ts";
import { initialOpenFiles } from "../compat/dbus-daemon/open-files.ts";
import {
  standardSessionDirectories,
  withTransientDirectory,
} from "../compat/dbus-daemon/service-directories.ts";

/** Where to take the options from: a file, dbus-daemon's session configuration, or only defaults. */
export interface BusSource {
  readonly configFile: string | undefined;
  readonly session: boolean;
}

export type BusSourceResult =
  | {
      readonly options: StartOptions;
      /** What of the configuration is not obeyed. */
      readonly notes: readonly LogEntry[];
      readonly problem: null;
    }
  | { readonly options: null; readonly problem: string };

/** Options for a bus; `listen` replaces the addresses of a configuration unless it is empty. */
export function readBusSource(source: BusSource, listen: readonly string[]): BusSourceResult {
  const { configFile, session } = source;
  if (configFile === undefined && !session) {
    const directories = (): ServiceDirectory[] => standardSessionDirectories(process.env);
    const activation = { directories, openFiles: initialOpenFiles() };
    return { options: { listen, mayConnect: isOwner, activation }, notes: [], problem: null };
  }
  const loaded = loadConfiguration(
    configFile === undefined ? { kind: "session" } : { kind: "file", path: configFile },
  );
  if (loaded.problem !== null) return { options: null, problem: describeProblem(loaded.problem) };
  const { configuration, problem: trouble } = withTransientDirectory(loaded.configuration);
  const configured = busOptionsOf(configuration, () => configuration);
  const options = {
    ...configured,
    ...(configured.activation && {
      activation: { ...configured.activation, openFiles: initialOpenFiles() },
    }),
    listen: listen.length > 0 ? listen : configuration.listen,
  };
  const notes: LogEntry[] = configuration.warnings.map((warning) => ({
    level: "warning",
    text: describeProblem(warning),
    fields: {},
  }));
  if (trouble !== null) {
    notes.push({ level: "warning", text: `no transient services: ${trouble}`, fields: {} });
  }
  const limits = describeUnenforcedLimits(configuration);
  if (limits !== null) notes.push({ level: "info", text: limits, fields: {} });
  return { options, notes, problem: null };
}

function isOwner(userId: number): boolean {
  return userId === process.geteuid?.();
}
