/** Which onehop this is. */

import { createRequire } from "node:module";

/** The version in package.json, which is found by the package's own name from sources and from dist alike. */
export function onehopVersion(): string {
  const { version }: { version: string } = createRequire(import.meta.url)("onehop/package.json");
  return version;
}

/** What `--version` prints: the first line in the form of dbus-daemon's, the version last, as scripts expect it. */
export function versionText(): string {
  return [
    `D-Bus Message Bus Daemon (onehop) ${onehopVersion()}`,
    "This is onehop-dbus-daemon. It takes the place of dbus-daemon 1.14.",
    "Free software under the MIT license, without any warranty.",
    "",
  ].join("\n");
}
