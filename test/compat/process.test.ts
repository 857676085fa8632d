/** The daemon as a process among others: whom it tells what, who it is, what it inherits and passes on. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { authLine, builtProgram, handshake } from "./daemon-process.ts";
import { DatagramReceiver } from "./datagrams.ts";
import { testWithProgram } from "./programs.ts";

// Each test starts processes, on machines that do other things as well.
jest.setTimeout(30_000);

const real = "/usr/bin/dbus-daemon";
const isRoot = userInfo().uid === 0;

/** How each daemon is started; the real one is asked where it can answer. */
const daemons = [
  ["onehop-dbus-daemon", [process.execPath, builtProgram("onehop-dbus-daemon.cjs")]],
  ["dbus-daemon", [real]],
] as const;
const ours = daemons[0][1];

let folder = "";
let children: ChildProcess[] = [];
let receivers: DatagramReceiver[] = [];
/** Buses in the background. */
let background: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-process-"));
  chmodSync(folder, 0o777);
});
afterEach(async () => {
  for (const receiver of receivers) receiver.close();
  for (const processId of background) {
    if (existsSync(`/proc/${processId}`)) process.kill(processId, "SIGKILL");
  }
  await Promise.all(
    children.map((child) => {
      if (child.exitCode !== null || child.signalCode !== null) return null;
      child.kill("SIGKILL");
      return endOf(child);
    }),
  );
  [children, receivers, background] = [[], [], []];
  rmSync(folder, { recursive: true });
});

const allowAll = `<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="true"/>
  <allow eavesdrop="true"/><allow own="*"/></policy>`;

function configure(contents: string): string {
  const path = join(folder, "bus.conf");
  const listen = `<listen>unix:path=${folder}/bus</listen>`;
  writeFileSync(path, `<busconfig>${listen}${contents}${allowAll}</busconfig>`);
  return `--config-file=${path}`;
}

interface Daemon {
  readonly child: ChildProcess;
  readonly address: string;
  readonly stderr: Promise<string>;
}

/** Starts it in the foreground and waits for its address, and for who can speak with it. */
async function start(
  words: readonly string[],
  environment: Record<string, string> = {},
): Promise<Daemon> {
  const [program = "", ...rest] = words;
  const child = spawn(program, [...rest, "--nofork", "--print-address=3"], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  children.push(child);
  const [, , errors, told] = child.stdio as NodeJS.ReadableStream[]; // pipes, but for the first two
  if (errors === undefined || told === undefined) throw new Error("pipes were asked for");
  const stderr = text(errors);
  const address = (await text(told)).trim();
  // It is served when the rest of the start is over.
  if (address !== "") expect(await handshake(address, authLine)).toMatch(/^OK |^REJECTED/);
  return { child, address, stderr };
}

function endOf(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve(child.exitCode);
    child.once("exit", (status, signal) => resolve(status ?? signal));
  });
}

function stop(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): ReturnType<typeof endOf> {
  const ended = endOf(child);
  child.kill(signal);
  return ended;
}

function statusOf(processId: number | undefined): Record<string, string> {
  const lines = readFileSync(`/proc/${processId}/status`, "utf8").split("\n");
  return Object.fromEntries(lines.map((line) => line.split(":\t").map((part) => part.trim())));
}

/** Runs a program to its end, as another user if the tests run as root. */
function asNobody(words: readonly string[]): string[] {
  return isRoot
    ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...words]
    : [...words];
}

describe.each(daemons)("%s", (name, program) => {
  const check = (title: string, body: () => void | Promise<void>): void =>
    name === "dbus-daemon" ? testWithProgram(real, title, body) : test(title, body);

  check("tells its supervisor itself when it is ready, reloads and stops", async () => {
    const path = join(folder, "notify");
    const receiver = await DatagramReceiver.bind(path);
    receivers.push(receiver);
    const { child } = await start([...program, configure("")], { NOTIFY_SOCKET: path });
    expect(await receiver.receive()).toEqual({ text: "READY=1", pid: child.pid });
    child.kill("SIGHUP");
    expect((await receiver.receive()).text).toMatch(/^RELOADING=1(\nMONOTONIC_USEC=\d+)?$/);
    expect(await receiver.receive()).toEqual({ text: "READY=1", pid: child.pid });
    // One that is not taken ends with READY as well.
    configure("<bees/>");
    child.kill("SIGHUP");
    expect((await receiver.receive()).text).toMatch(/^RELOADING=1/);
    expect((await receiver.receive()).text).toBe("READY=1");
    const ended = stop(child);
    expect((await receiver.receive()).text).toBe("STOPPING=1");
    expect(await ended).toBe(0);
  });

  check("starts services with the limit of open files that it was started with", async () => {
    const { files } = await serviceFacts("ulimit -Sn 700; ulimit -Hn 3000", program);
    expect(files).toBe("700 3000");
  });

  check("also from the background", async () => {
    const prepare = "ulimit -Sn 700; ulimit -Hn 3000";
    expect((await serviceFacts(prepare, program, "--fork")).files).toBe("700 3000");
  });

  check("leaves a positive score of services for the lack of memory alone", async () => {
    const { score } = await serviceFacts("echo 300 > /proc/self/oom_score_adj", program);
    expect(score).toBe("300");
  });

  check("does not have services spared that the kernel spares it", async () => {
    const prepare = "echo -500 > /proc/self/oom_score_adj";
    // Not every root may ask for that.
    if (spawnSync("/bin/sh", ["-c", prepare]).status !== 0) {
      console.warn("not run: the kernel does not let this user lower oom_score_adj");
      return;
    }
    expect((await serviceFacts(prepare, program)).score).toBe("0");
  });

  check("in the background: session, folder, umask and files of its own", async () => {
    const flags = [configure(`<pidfile>${folder}/pid</pidfile>`), "--fork", "--print-pid"];
    const command = 'umask 077; exec "$0" "$@" --print-address </dev/zero';
    const { stdout } = spawnSync("/bin/sh", ["-c", command, ...program, ...flags], {
      encoding: "utf8",
    });
    const processId = Number(/^\d+$/m.exec(stdout)?.[0]);
    background.push(processId);
    // dbus-daemon in the foreground may end before the one in the background is all that it will be.
    expect(await handshake(/^unix:.*$/m.exec(stdout)?.[0] ?? "", authLine)).toMatch(/^OK /);
    expect(readFileSync(join(folder, "pid"), "utf8")).toBe(`${processId}\n`);
    expect(statSync(join(folder, "pid")).mode & 0o777).toBe(0o600);
    const { Umask } = statusOf(processId);
    expect(Umask).toBe("0022");
    const [, , , , , session] = readFileSync(`/proc/${processId}/stat`, "utf8").split(" ");
    expect(session).toBe(String(processId));
    const links = spawnSync(
      "readlink",
      ["cwd", "fd/0", "fd/1", "fd/2"].map((link) => `/proc/${processId}/${link}`),
      { encoding: "utf8" },
    ).stdout;
    expect(links).toBe("/\n/dev/null\n/dev/null\n/dev/null\n");
  });

  check("with a umask to keep", () => {
    const flags = [configure("<keep_umask/>"), "--fork", "--print-pid"];
    const command = 'umask 027; exec "$0" "$@"';
    const { stdout } = spawnSync("/bin/sh", ["-c", command, ...program, ...flags]);
    background.push(Number(stdout));
    expect(statusOf(Number(stdout))["Umask"]).toBe("0027");
  });

  check("a second one in the background is refused by the pid file", () => {
    const flags = [configure(`<pidfile>${folder}/pid</pidfile><fork/>`), "--print-pid"];
    const [first, second] = [1, 2].map(() => {
      const [command = "", ...rest] = program;
      return spawnSync(command, [...rest, ...flags], { encoding: "utf8" });
    });
    background.push(Number(first?.stdout));
    expect(first?.status).toBe(0);
    expect(second).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining(`The pid file "${folder}/pid" exists`),
    });
    expect(existsSync(join(folder, "bus"))).toBe(true);
  });

  check("a pid file that cannot be written: status 1, and no socket is left", () => {
    const flags = [configure(`<pidfile>${folder}/none/pid</pidfile>`), "--nofork"];
    const [command = "", ...rest] = program;
    const { status, stderr } = spawnSync(command, [...rest, ...flags], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/none\/pid.*[Nn]o such file or directory/),
    });
    expect(readdirSync(folder)).toEqual(["bus.conf"]);
  });

  test.each(["--print-address", "--print-pid"])(`${name}: %s to a closed descriptor`, (option) => {
    if (name === "dbus-daemon" && !existsSync(real)) return;
    const [command = "", ...rest] = program;
    // Node has its own descriptors among the first ones: pipes, an epoll set, event descriptors.
    const own = Array.from({ length: 17 }, (_, index) => index + 3);
    const isWhole = name !== "dbus-daemon" && option === "--print-address";
    for (const descriptor of isWhole ? [...own, 300] : [3, 300]) {
      const flags = [configure(""), "--nofork", `${option}=${descriptor}`];
      const { status, stderr } = spawnSync(command, [...rest, ...flags], { encoding: "utf8" });
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringMatching(
          name === "dbus-daemon"
            ? /Failed to start message bus/
            : /: descriptor \d+ (is not open|was not passed on)/,
        ),
      });
      expect(readdirSync(folder)).toEqual(["bus.conf"]);
    }
  });

  check("runs as any user in a folder of its own", async () => {
    const own = join(folder, "own");
    mkdirSync(own, { mode: 0o700 });
    if (isRoot) chownSync(own, 65534, 65534);
    const flags = [configure(`<pidfile>${own}/pid</pidfile>`), `--address=unix:path=${own}/bus`];
    const { child } = await start(asNobody([...program, ...flags]));
    expect(readdirSync(own).sort()).toEqual(["bus", "pid"]);
    expect(await stop(child)).toBe(0);
    expect(readdirSync(own)).toEqual([]);
  });

  check("SIGTERM while everything is in use ends it with 0", async () => {
    const { child } = await start([...program, configure(`<pidfile>${folder}/pid</pidfile>`)]);
    expect(await stop(child)).toBe(0);
    expect(readdirSync(folder)).toEqual(["bus.conf"]);
  });

  if (isRoot) {
    check("becomes <user>: ids, no groups, no capabilities that matter", async () => {
      const flags = configure("<type>system</type><user>nobody</user>");
      // Root's own groups are not to be kept.
      const words = ["setpriv", "--groups=4,24,27", ...program, flags];
      const { child } = await start(words);
      const { Uid, Gid, Groups, CapEff, CapPrm } = statusOf(child.pid);
      const gid = spawnSync("id", ["-g", "nobody"], { encoding: "utf8" }).stdout.trim();
      expect(Uid?.split("\t")).toEqual(Array(4).fill("65534"));
      expect(Gid?.split("\t")).toEqual(Array(4).fill(gid));
      expect(Groups).toBe("");
      // dbus-daemon may write to the audit log, where it is built with that.
      const none = /^00000000[02]0000000$/;
      expect([CapEff, CapPrm]).toEqual([expect.stringMatching(none), expect.stringMatching(none)]);
      // Nor may it come back.
      expect(await stop(child)).toBe(0);
    });

    check("started by another user than root it stays that user", async () => {
      const { child } = await start(asNobody([...program, configure("<user>daemon</user>")]));
      expect(statusOf(child.pid)["Uid"]?.split("\t")).toEqual(Array(4).fill("65534"));
    });
  }
});

/** Has a bus, which a shell starts after `preparation`, start a service, which writes down what it has inherited. */
async function serviceFacts(
  preparation: string,
  program: readonly string[],
  fork: "--fork" | "--nofork" = "--nofork",
): Promise<{ files: string; score: string }> {
  const services = join(folder, "services");
  mkdirSync(services);
  writeFileSync(
    join(services, "a.b.Facts.service"),
    `[D-BUS Service]\nName=a.b.Facts\nExec=/bin/sh ${folder}/facts\n`,
  );
  writeFileSync(
    join(folder, "facts"),
    `echo "$(ulimit -Sn) $(ulimit -Hn)" > ${folder}/files
    cat /proc/self/oom_score_adj > ${folder}/score
    exit 1`,
  );
  const flags = configure(`<type>session</type><servicedir>${services}</servicedir>`);
  // The daemon is to be a child of this shell: it takes the limit of its parent for its own first one.
  const words = `"$0" "$@" ${fork} --print-address=3 --print-pid=4 4> ${folder}/pid`;
  // In the background it has told its process when the one in the foreground has ended, and with it the shell.
  const rest = fork === "--fork" ? "" : "& exec 3>&-; wait";
  const script = `${preparation}; ${words} ${rest}`;
  const shell = spawn("/bin/sh", ["-c", script, ...program, flags], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  children.push(shell);
  const address = (await text(shell.stdio[3] as NodeJS.ReadableStream)).trim(); // a pipe
  const bus = address.replace(/,guid=.*/, "");
  expect(await handshake(bus, authLine)).toMatch(/^OK /);
  background.push(Number(readFileSync(join(folder, "pid"), "utf8")));
  spawnSync("gdbus", [
    ...["call", "--address", bus, "--dest", "org.freedesktop.DBus"],
    ...["--object-path", "/", "--method", "org.freedesktop.DBus.StartServiceByName"],
    ...["a.b.Facts", "0"],
  ]);
  const read = (file: string): string => readFileSync(join(folder, file), "utf8").trim();
  return { files: read("files"), score: read("score") };
}

testWithProgram(
  "unshare",
  "with --syslog-only lines go to the journal and nowhere else",
  async () => {
    // In a /run of its own, where the test is the journal.
    const words = ["--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$0" "$@"'];
    const script = `
import os, signal, socket, subprocess, sys
os.makedirs("/run/systemd/journal")
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("/run/systemd/journal/socket"); s.settimeout(20)
p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
p.stdout.readline(); p.send_signal(signal.SIGHUP)
line = ""
while "Reloaded" not in line: line = s.recv(65536).decode()
print(line); p.terminate(); print("STDERR", p.stderr.read().decode())
`;
    const flags = [configure("<type>system</type>"), "--nofork", "--print-address"];
    const user = isRoot ? [] : ["--map-root-user"];
    for (const [option, stderr] of [
      ["--syslog-only", /STDERR \n$/],
      ["--syslog", /STDERR .*Reloaded/s],
    ] as const) {
      const python = ["python3", "-c", script, ...ours, ...flags, option];
      const { stdout } = spawnSync("unshare", [...user, ...words, ...python], { encoding: "utf8" });
      expect(stdout).toMatch(/^SYSLOG_IDENTIFIER=dbus-daemon$/m);
      expect(stdout).toMatch(/^MESSAGE=\[system\] Reloaded configuration$/m);
      expect(stdout).toMatch(stderr);
    }
  },
);

test("a supervisor in the abstract namespace is told as well", async () => {
  const name = `@onehop-test-${process.pid}`;
  const receiver = await DatagramReceiver.bind(name);
  receivers.push(receiver);
  const { child } = await start([...ours, configure("")], { NOTIFY_SOCKET: name });
  expect(await receiver.receive()).toEqual({ text: "READY=1", pid: child.pid });
});

test.each([
  ["/nonexistent/notify", "no such file or directory"],
  ["vsock:2:1234", "no Unix socket"],
])("a supervisor at %s cannot be told: one line, and the bus works", async (socket, reason) => {
  const { child, stderr } = await start([...ours, configure("")], { NOTIFY_SOCKET: socket });
  expect(await stop(child)).toBe(0);
  const lines = (await stderr).split("\n").filter((line) => line.includes("NOTIFY_SOCKET"));
  // Ready, and stopping.
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain(reason);
});

test("--version says what it is, with the version at the end of the first line", () => {
  const { stdout, status } = spawnSync(process.execPath, [ours[1], "--version"], {
    encoding: "utf8",
  });
  const package_ = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"),
  );
  const [first, second] = stdout.split("\n");
  expect(status).toBe(0);
  expect(first).toBe(`D-Bus Message Bus Daemon (onehop) ${package_.version}`);
  expect(second).toContain("dbus-daemon 1.14");
});
