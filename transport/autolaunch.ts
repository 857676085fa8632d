/**
 * The bus of an X display, as dbus-launch(1) finds it, or starts one.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#meta-transports-autolaunch
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readMachineId } from "./guid.ts";
import { errorNameOf } from "./listening/listen-error.ts";

/** An address and what follows it; a hundred addresses would fit. */
const MAX_OUTPUT_BYTES = 16384;

/** The addresses as they are told, or why there are none. */
export async function autolaunchedAddress(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly text: string } | { readonly reason: string }> {
  // As libdbus: programs with the rights of another user run nothing that their environment names.
  if (process.getuid?.() !== process.geteuid?.()) {
    return { reason: "a set-user-ID program may not launch a bus" };
  }
  if ((environment["DISPLAY"] ?? "") === "") return { reason: "$DISPLAY is not set" };
  const machineId = readMachineId();
  if (machineId === null) return { reason: "this machine has no machine id" };
  const child = spawn(
    "dbus-launch",
    [`--autolaunch=${machineId}`, "--binary-syntax", "--close-stderr"],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...environment } },
  );
  const output: Buffer[] = [];
  let byteLength = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    byteLength += chunk.length;
    if (byteLength > MAX_OUTPUT_BYTES) child.kill("SIGKILL");
    else output.push(chunk);
  });
  try {
    await once(child, "close");
  } catch (error) {
    return { reason: `cannot run dbus-launch: ${errorNameOf(error)}` };
  }
  // The address and a NUL byte; then numbers that are of no use here.
  const [text = ""] = Buffer.concat(output).toString("latin1").split("\0");
  if (child.exitCode !== 0 || text === "") return { reason: "dbus-launch told no address" };
  return { text };
}
