/** `--policies`: one bus with ever more policy files, as packages of a system bus install them. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BusProgram, CONFIGURATION, dbusDaemon, onehopCommand } from "./buses.ts";

/** How many files each contestant has. */
export const FILE_COUNTS: readonly number[] = [1, 500];

/** Names that dbload's servers take. */
const LOAD_NAMES = Array.from({ length: 8 }, (_, index) => `org.example.Load.S${index}`);

/** What system.conf says before any package adds to it. */
const SYSTEM_POLICY = `<policy context="default">
  <allow user="*"/>
  <deny own="*"/>
  <deny send_type="method_call"/>
  <allow send_type="signal"/>
  <allow send_requested_reply="true" send_type="method_return"/>
  <allow send_requested_reply="true" send_type="error"/>
  <allow receive_type="method_call"/>
  <allow receive_type="method_return"/>
  <allow receive_type="error"/>
  <allow receive_type="signal"/>
  <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
  <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus" send_member="UpdateActivationEnvironment"/>
  <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Debug.Stats"/>
</policy>
<policy user="root">
  <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Debug.Stats"/>
</policy>`;

/**
 * `onehop` with everything allowed, and with each number of policy files, which are written to `directory`; with
 * `files`, a folder of real ones, these take the place of the many.
 */
export function policyContestants(directory: string, files: string | null): readonly BusProgram[] {
  const command = onehopCommand();
  const made = FILE_COUNTS.slice(0, files === null ? FILE_COUNTS.length : 1).map((count) =>
    dbusDaemon(nameOf(count), command, writeConfiguration(directory, count)),
  );
  return [
    dbusDaemon("everything allowed", command),
    ...made,
    ...(files === null ? [] : [realFiles(command, directory, files)]),
  ];
}

function realFiles(command: readonly string[], directory: string, files: string): BusProgram {
  const count = readdirSync(files).filter((name) => name.endsWith(".conf")).length;
  if (count === 0) throw new Error(`${files} has no .conf files`);
  const include = `<includedir>${files}</includedir>`;
  return dbusDaemon(
    `${count} real policy files`,
    command,
    writeConfiguration(directory, 1, "real", include),
  );
}

/** The heading of a contestant. */
export function nameOf(count: number): string {
  return count === 1 ? "1 policy file" : `${count} policy files`;
}

/** Limits and addresses of the ordinary bench, and `more` elements; returns the path. */
function writeConfiguration(
  directory: string,
  count: number,
  name: string = String(count),
  more = "",
): string {
  const folder = join(directory, `policies-${name}`);
  mkdirSync(folder);
  // Subscribers tell the publisher of dbload how far they are.
  const progress = '<allow send_interface="org.example.Load" send_member="Ack"/>';
  const own = `${LOAD_NAMES.map(serviceRules).join("\n")}
<policy context="default">${progress}</policy>`;
  writeFileSync(join(folder, "000-load.conf"), configuration(own));
  for (let i = 1; i < count; i++) {
    const rules = serviceRules(`com.example.Service${i}`);
    writeFileSync(join(folder, `service-${i}.conf`), configuration(rules));
  }
  const policies = `${SYSTEM_POLICY}<includedir>${folder}</includedir>${more}`;
  const text = readFileSync(CONFIGURATION, "utf8").replace(
    /<policy[\s\S]*<\/policy>/,
    () => policies,
  );
  const path = join(directory, `bus-${name}.conf`);
  writeFileSync(path, text);
  return path;
}

function configuration(content: string): string {
  return `<busconfig>\n${content}\n</busconfig>\n`;
}

function serviceRules(name: string): string {
  return `<policy user="root"><allow own="${name}"/></policy>
<policy context="default"><allow send_destination="${name}"/></policy>`;
}
