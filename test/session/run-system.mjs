/** Runs `system.mjs` on dbus-daemon and on onehop, each in namespaces of its own. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const system = join(import.meta.dirname, "system.mjs");
const limitMs = 300_000;
const daemons = {
  "dbus-daemon": ["dbus-daemon"],
  "onehop-dbus-daemon": [process.execPath, join(root, "dist/onehop-dbus-daemon.cjs")],
};
/** Processes end with them, and what is mounted there is seen nowhere else. */
const unshare = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
const needs = [
  ["/usr/lib/dbus-1.0/dbus-daemon-launch-helper", "dbus"],
  ["/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service", "polkitd"],
  ["/usr/bin/pkcheck", "polkitd"],
  ["/usr/bin/busctl", "systemd"],
];

/** Adds to `counts` what passed and failed; what cannot be tried here is told, and with ONEHOP_REQUIRE_PEERS=1 failed. */
export async function runSystem(buses, counts) {
  const obstacle = obstacleHere();
  if (obstacle !== null) {
    console.log(`no system bus: ${obstacle}`);
    if (process.env.ONEHOP_REQUIRE_PEERS === "1") counts.failed++;
    return;
  }
  for (const bus of buses.filter((name) => daemons[name] !== undefined)) {
    console.log(`${bus}, as the system bus`);
    await runOn(daemons[bus], counts);
  }
}

function obstacleHere() {
  if (process.getuid() !== 0) return "only root can start it";
  const missing = needs.filter(([path]) => !existsSync(path));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, debian]) => debian))].join(" ");
    return `${missing.map(([path]) => path).join(", ")} missing (Debian: apt-get install ${packages})`;
  }
  const { status, stderr } = spawnSync("unshare", [...unshare, "true"], { encoding: "utf8" });
  return status === 0 ? null : `there are no namespaces to be had: ${stderr?.trim()}`;
}

async function runOn(daemon, counts) {
  const words = [...unshare, process.execPath, system, ...daemon];
  const child = spawn("unshare", words, { stdio: ["ignore", "pipe", "inherit"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    process.stdout.write(text.replaceAll(/^(?=.)/gm, "  "));
  });
  const [status, signal] = await once(child, "close");
  clearTimeout(timer);
  counts.passed += output.match(/^✓/gm)?.length ?? 0;
  counts.failed += output.match(/^✗/gm)?.length ?? 0;
  const hasEnded = status === 0 && output !== "";
  counts[hasEnded ? "passed" : "failed"]++;
  console.log(`  ${hasEnded ? "✓" : "✗"} the system ends by itself (${status ?? signal})`);
}
