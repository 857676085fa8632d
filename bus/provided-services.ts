/** Which names service files provide, without a bus: for tools that look at a configuration. */

import { ServiceDirectories } from "./activation/service-directories.ts";
import type { Log } from "./log.ts";
import type { ServiceDirectory } from "./options.ts";

export interface ProvidedService {
  readonly name: string;
  readonly file: string;
  /** Who a system bus is to run it as. */
  readonly user: string | null;
}

/** The files that count, as a bus finds them; `log` is told which do not, and why. */
export function providedServices(
  directories: readonly ServiceDirectory[],
  log: Log,
): readonly ProvidedService[] {
  const known = new ServiceDirectories(log);
  known.use(directories);
  return known.names().flatMap((name) => {
    const service = known.find(name);
    const file = known.pathOf(name);
    return service === null || file === null ? [] : [{ name, file, user: service.user }];
  });
}
