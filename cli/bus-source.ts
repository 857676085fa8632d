/** What the commands that start a bus have in common: where its options come from. */

import type { StartOptions } from "../bus/index.ts";
import { busOptionsOf } from "../compat/dbus-daemon/bus-options.ts";
import { loadConfiguration } from "../compat/dbus-daemon/config-file.ts";
import { describeProblem } from "../compat/dbus-daemon/configuration.ts";
import { ServiceNames } from "../compat/dbus-daemon/service-directories.ts";

/** Where to take the options from: a file, dbus-daemon's session configuration, or only defaults. */
export interface BusSource {
  readonly configFile: string | undefined;
  readonly session: boolean;
}

export type BusSourceResult =
  | { readonly options: StartOptions; readonly warnings: readonly string[]; readonly problem: null }
  | { readonly options: null; readonly problem: string };

/** Options for a bus; `listen` replaces the addresses of a configuration unless it is empty. */
export function readBusSource(source: BusSource, listen: readonly string[]): BusSourceResult {
  const { configFile, session } = source;
  if (configFile === undefined && !session) {
    return { options: { listen, mayConnect: isOwner }, warnings: [], problem: null };
  }
  const { configuration, problem } = loadConfiguration(
    configFile === undefined ? { kind: "session" } : { kind: "file", path: configFile },
  );
  if (configuration === null) return { options: null, problem: describeProblem(problem) };
  const services = new ServiceNames(configuration.serviceDirectories);
  const options = {
    ...busOptionsOf(configuration, () => configuration),
    listen: listen.length > 0 ? listen : configuration.listen,
    activatableNames: () => services.list(),
  };
  return { options, warnings: configuration.warnings.map(describeProblem), problem: null };
}

function isOwner(userId: number): boolean {
  return userId === process.geteuid?.();
}
