#!/usr/bin/env node
/** onehop-dbus-daemon: takes the place of dbus-daemon(1). */

import { parseArguments } from "./arguments.ts";
import { versionText } from "./version.ts";

const result = parseArguments(process.argv.slice(2));
switch (result.kind) {
  case "refused":
    process.stderr.write(`${result.text}\n`);
    process.exitCode = 1;
    break;
  case "version":
    process.stdout.write(versionText());
    break;
  case "introspect":
    import("../../bus/index.ts").then(({ introspection }) => {
      process.stdout.write(`${introspection("/org/freedesktop/DBus")}\n`);
    });
    break;
  case "run":
    import("./startup.ts")
      .then(({ runDaemon }) => runDaemon(result.arguments))
      // Nothing that is still open may keep a stopped daemon alive.
      .then((status) => process.exit(status));
    break;
}
