/** What dbus-daemon makes of a folder with a configuration, and what this bus makes of it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Bus, createBus } from "../../bus/bus.ts";
import { findUser } from "../../compat/dbus-daemon/accounts.ts";
import { busOptionsOf } from "../../compat/dbus-daemon/bus-options.ts";
import { loadConfiguration } from "../../compat/dbus-daemon/config-file.ts";
import { describeProblem } from "../../compat/dbus-daemon/configuration.ts";
import { findAddon } from "../../transport/addon.ts";
import { type Listener, openListeners } from "../../transport/listen.ts";
import { MemoryPeer } from "../support/memory-peer.ts";
import { HANDSHAKE, RawClient } from "../support/raw-client.ts";

export interface Verdict {
  /** How many addresses it listens on; 0: it is refused. */
  readonly addresses: number;
  /** Is the user of this process let in? */
  readonly connects: boolean;
  /** The names of org.example that can be started, in order. */
  readonly names: readonly string[];
  /** Why it is refused, or what was told otherwise. */
  readonly told: string;
}

/** Where both look for service files: nowhere but where the configuration says. */
const environment: Readonly<Record<string, string>> = {
  XDG_DATA_HOME: "/none",
  XDG_DATA_DIRS: "/none",
};

const refused = (told: string): Verdict => ({ addresses: 0, connects: false, names: [], told });

/** Starts dbus-daemon with `bus.conf` of `folder`, asks it, and ends it. */
export async function verdictOfDbusDaemon(folder: string): Promise<Verdict> {
  const words = ["--nofork", "--nopidfile", "--print-address=1"];
  const daemon = spawn("dbus-daemon", [`--config-file=${join(folder, "bus.conf")}`, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...environment },
  });
  let told = "";
  daemon.stderr.setEncoding("utf8").on("data", (text) => {
    told += text;
  });
  const ended = once(daemon, "close");
  try {
    const address = await firstLine(daemon);
    if (address === null) {
      await ended;
      return refused(told);
    }
    const [, path = ""] = /unix:path=([^,]*)/.exec(address) ?? [];
    const answer = await ask(decodeURIComponent(path));
    // It prints its address before it has looked at everything.
    if (answer === null && !(await isListening(decodeURIComponent(path)))) {
      await ended;
      return refused(told);
    }
    const addresses = address.split(";").length;
    return { addresses, connects: answer !== null, names: answer ?? [], told };
  } finally {
    // Whoever is asked next finds no sockets of this one.
    daemon.kill("SIGKILL");
    await ended;
  }
}

/** What this bus makes of the same folder, without starting a process. */
export async function verdictOfOnehop(folder: string): Promise<Verdict> {
  const file = join(folder, "bus.conf");
  const { configuration, problem } = loadConfiguration(
    { kind: "file", path: file },
    { environment },
  );
  if (configuration === null) return refused(describeProblem(problem));
  const { user, listen } = configuration;
  if (user !== null && findUser(user) === null) return refused(`there is no user ${user}`);
  const listeners: Listener[] = [];
  try {
    const { addon } = findAddon("optional");
    for (const address of listen) {
      listeners.push(...(await openListeners(address, { addon, takeover: "always" })));
    }
  } catch (error) {
    return refused(String(error));
  } finally {
    for (const listener of listeners) listener.close();
  }
  const bus = createBus(busOptionsOf(configuration, () => configuration));
  try {
    const names = await askInProcess(bus);
    const told = configuration.warnings.map(describeProblem).join("\n");
    const connects = names !== null;
    return { addresses: listeners.length, connects, names: names ?? [], told };
  } finally {
    bus.close();
  }
}

/** The names that can be started, or `null` if the bus hangs up. */
async function askInProcess(bus: Bus): Promise<string[] | null> {
  const peer = new MemoryPeer(bus.connect());
  peer.authenticate();
  const hangsUp = peer.closed().then(() => null);
  if ((await Promise.race([peer.driver("Hello"), hangsUp])) === null) return null;
  const answer = await Promise.race([peer.driver("ListActivatableNames"), hangsUp]);
  return answer === null ? null : exampleNames(answer.body[0]);
}

function firstLine({ stdout }: ChildProcess): Promise<string | null> {
  return new Promise((resolve) => {
    if (stdout === null) throw new Error("a pipe was asked for");
    const lines = createInterface({ input: stdout });
    lines.once("line", resolve);
    lines.once("close", () => resolve(null));
  });
}

/** The names that can be started, or `null` if the bus hangs up. */
async function ask(path: string): Promise<string[] | null> {
  const client = new RawClient(path);
  client.socket.write(HANDSHAKE);
  client.driver("Hello");
  client.driver("ListActivatableNames");
  const answers = client.read(3).then((messages) => messages.map(({ body }) => body[0]));
  const found = await Promise.race([answers, client.closed().then(() => null)]);
  client.socket.destroy();
  return found === null ? null : exampleNames(found.find((value) => Array.isArray(value)));
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Of an answer, which is a list of names if it is no error. */
function exampleNames(answer: unknown): string[] {
  const names = Array.isArray(answer) ? answer.map(String) : [];
  return names.filter((name) => name.startsWith("org.example.")).sort();
}
