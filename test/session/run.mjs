/**
 * A real session under Xvfb, on dbus-daemon and then on onehop: settings, notifications, portals, accessibility and
 * GTK programs, which know nothing of either. As root everything is done once more as a user without rights; and then
 * the system bus has its turn (`run-system.mjs`). `--bus NAME` runs only that one. The last line is
 * `Tests: N passed, N failed`.
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runSystem } from "./run-system.mjs";

const root = join(import.meta.dirname, "../..");
const session = join(import.meta.dirname, "session.mjs");
/** Nobody's number everywhere. */
const otherUser = 65534;
const limitMs = 300_000;
const launchers = {
  "dbus-daemon": ["dbus-run-session", "--"],
  onehop: [process.execPath, join(root, "dist/cli/main.js"), "run", "--"],
  "onehop-dbus-daemon": [
    "dbus-run-session",
    `--dbus-daemon=${join(root, "dist/onehop-dbus-daemon.cjs")}`,
    "--",
  ],
};
/** What has to be there, and the Debian package that brings it. */
const needs = [
  ...[
    ["Xvfb", "xvfb"],
    ["gsettings", "libglib2.0-bin"],
    ["gdbus", "libglib2.0-bin"],
    ["notify-send", "libnotify-bin"],
    ["dbus-run-session", "dbus-daemon"],
    ["dbus-monitor", "dbus-bin"],
    ["setpriv", "util-linux"],
  ].map(([program, debian]) => ({ what: program, debian, isThere: hasProgram(program) })),
  ...[
    ["ca.desrt.dconf", "dconf-service"],
    ["org.a11y.Bus", "at-spi2-core"],
    ["org.knopwob.dunst", "dunst"],
    ["org.freedesktop.portal.Desktop", "xdg-desktop-portal"],
    ["org.freedesktop.impl.portal.desktop.gtk", "xdg-desktop-portal-gtk"],
  ].map(([name, debian]) => ({
    what: `${name}.service`,
    debian,
    isThere: existsSync(`/usr/share/dbus-1/services/${name}.service`),
  })),
  ...[
    ["Gtk", "3.0", "gir1.2-gtk-3.0"],
    ["Atspi", "2.0", "gir1.2-atspi-2.0"],
  ].map(([module, version, debian]) => ({
    what: `${module} for Python`,
    debian: `python3-gi ${debian}`,
    isThere: hasModule(module, version),
  })),
  {
    what: "the GSettings backend of dconf",
    debian: "dconf-gsettings-backend gsettings-desktop-schemas",
    isThere:
      existsSync("/usr/share/glib-2.0/schemas/org.gnome.desktop.interface.gschema.xml") &&
      readdirSync("/usr/lib").some((machine) =>
        existsSync(`/usr/lib/${machine}/gio/modules/libdconfsettings.so`),
      ),
  },
];

process.exitCode = await main();

async function main() {
  const { values } = parseArgs({ options: { bus: { type: "string", multiple: true } } });
  const buses = values.bus ?? Object.keys(launchers);
  const unknown = buses.find((bus) => launchers[bus] === undefined);
  if (unknown !== undefined) {
    console.error(`--bus ${unknown}: ${Object.keys(launchers).join(", ")}`);
    return 2;
  }
  const missing = needs.filter(({ isThere }) => !isThere);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(({ debian }) => debian))].join(" ");
    console.log(
      `no session: ${missing.map(({ what }) => what).join(", ")} missing (Debian: apt-get install ${packages})`,
    );
    const isRequired = process.env.ONEHOP_REQUIRE_PEERS === "1";
    console.log(`Tests: 0 passed, ${isRequired ? 1 : 0} failed`);
    return isRequired ? 1 : 0;
  }
  const counts = { passed: 0, failed: 0 };
  for (const bus of buses) {
    for (const user of users()) await runSession(bus, user, counts);
  }
  await runSystem(buses, counts);
  console.log(`Tests: ${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

/** Whoever runs this; and for root, who may everything, somebody who may not. */
function users() {
  const own = process.getuid();
  if (own !== 0) return [own];
  const { status } = spawnSync("setpriv", [
    ...asUser(otherUser),
    process.execPath,
    "--check",
    session,
  ]);
  if (status === 0) return [own, otherUser];
  console.log(`not as user ${otherUser}, who may not read ${session}`);
  return [own];
}

function asUser(user) {
  return [`--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
}

async function runSession(bus, user, counts) {
  console.log(`${bus}, as user ${user}`);
  const folder = mkdtempSync(join(tmpdir(), "onehop-session-"));
  const display = await startDisplay();
  try {
    const environment = environmentIn(folder, user, display.name);
    const words = [...launchers[bus], process.execPath, session];
    const command = user === process.getuid() ? words : ["setpriv", ...asUser(user), ...words];
    const child = spawn(command[0], command.slice(1), {
      cwd: folder,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const timer = setTimeout(() => child.kill("SIGTERM"), limitMs);
    let [output, chatter] = ["", ""];
    child.stderr.setEncoding("utf8").on("data", (text) => (chatter += text));
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text.replaceAll(/^(?=.)/gm, "  "));
    });
    const [status, signal] = await once(child, "close");
    clearTimeout(timer);
    counts.passed += output.match(/^✓/gm)?.length ?? 0;
    counts.failed += output.match(/^✗/gm)?.length ?? 0;
    check(counts, status === 0, `the session ends by itself (${status ?? signal})`);
    const left = await processesLeft(folder);
    if (status !== 0 || /^✗/m.test(output)) console.log(chatter.trim());
    check(counts, left.length === 0, `nothing of it goes on${left.map((each) => `: ${each}`)}`);
  } finally {
    await display.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function check(counts, isTrue, sentence) {
  counts[isTrue ? "passed" : "failed"]++;
  console.log(`  ${isTrue ? "✓" : "✗"} ${sentence}`);
}

/** Nothing of the user's own: a home, a folder for sockets, settings, all in `folder`. */
function environmentIn(folder, user, display) {
  const [home, runtime] = [join(folder, "home"), join(folder, "run")];
  for (const path of [home, runtime]) mkdirSync(path, { mode: 0o700 });
  for (const path of [folder, home, runtime]) chownSync(path, user, user === 0 ? 0 : user);
  return {
    PATH: process.env.PATH,
    LANG: "C.UTF-8",
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    DISPLAY: display,
    GSETTINGS_BACKEND: "dconf",
    GDK_BACKEND: "x11",
    // Whose back ends the portal takes.
    XDG_CURRENT_DESKTOP: "GNOME",
  };
}

/** Xvfb on the first display that is free, which it tells when it can be used. */
async function startDisplay() {
  const child = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "800x600x24", "-ac"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const told = once(child.stdio[3].setEncoding("utf8"), "data");
  const ended = once(child, "close").then(([status]) => {
    throw new Error(`Xvfb ended with ${status}`);
  });
  const [number] = await Promise.race([told, ended]);
  ended.catch(() => {});
  return {
    name: `:${number.trim()}`,
    stop: async () => {
      child.kill("SIGTERM");
      await ended.catch(() => {});
    },
  };
}

/**
 * Programs of the session that outlive it, known by its folder in their environment. They notice by themselves that
 * their bus is gone; those that do not within a while are told, and ended.
 */
async function processesLeft(folder) {
  const deadline = performance.now() + 10_000;
  let left = processesIn(folder);
  while (left.length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = processesIn(folder);
  }
  for (const { processId } of left) process.kill(processId, "SIGKILL");
  return left.map(({ command }) => command);
}

function processesIn(folder) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((processId) => {
      try {
        const environment = readFileSync(`/proc/${processId}/environ`, "utf8");
        if (!environment.includes(`HOME=${join(folder, "home")}`)) return [];
        const command = readFileSync(`/proc/${processId}/cmdline`, "utf8").replaceAll("\0", " ");
        return [{ processId: Number(processId), command }];
      } catch {
        // It has just ended.
        return [];
      }
    });
}

function hasProgram(name) {
  return process.env.PATH.split(":").some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasModule(module, version) {
  const script = `import gi; gi.require_version("${module}", "${version}")`;
  return spawnSync("/usr/bin/python3", ["-c", script]).status === 0;
}
