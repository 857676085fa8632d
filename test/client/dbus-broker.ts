/** A dbus-broker of our own, started by the launcher that the benches have for it. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HOUSE = join(import.meta.dirname, "../..");
const LAUNCHER = join(HOUSE, "bench/build/broker-launch");

/** Is dbus-broker there, and its launcher built? Says so if not; an error if it has to be. */
export function hasBroker(purpose: string): boolean {
  const isInstalled = spawnSync("dbus-broker", ["--version"]).status === 0;
  if (isInstalled) spawnSync(process.execPath, [join(HOUSE, "bench/build-tools.mjs")]);
  if (isInstalled && existsSync(LAUNCHER)) return true;
  const reason = isInstalled
    ? "its launcher cannot be built (node bench/build-tools.mjs says why)"
    : "dbus-broker is not installed";
  if (process.env["ONEHOP_REQUIRE_PEERS"] === "1") throw new Error(`${purpose}: ${reason}`);
  process.stderr.write(`not run: ${purpose}: ${reason}\n`);
  return false;
}

export async function startBroker(): Promise<{ address: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "onehop-broker-"));
  const path = join(directory, "bus");
  const launcher = spawn(LAUNCHER, ["--address", path], { stdio: ["ignore", "pipe", "ignore"] });
  // It prints the broker's process id when the bus is ready.
  await Promise.race([once(launcher.stdout, "data"), once(launcher, "exit")]);
  return {
    address: `unix:path=${path}`,
    stop: async () => {
      const exited = once(launcher, "exit");
      launcher.kill();
      await exited;
      rmSync(directory, { recursive: true });
    },
  };
}
