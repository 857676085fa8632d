/** Which onehop this is. */

import { createRequire } from "node:module";

/** The version in package.json, which is found by the package's own name from sources and from dist alike. */
export function onehopVersion(): string {
  const { version }: { version: string } = createRequire(import.meta.url)("onehop/package.json");
  return version;
}
