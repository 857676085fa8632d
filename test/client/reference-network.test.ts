/** TCP, abstract names and other mechanisms between programs: their clients and our bus, our client and theirs. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ConnectOptions, connect } from "../../client/connect.ts";
import { MECHANISMS, type Mechanism } from "../../transport/mechanism.ts";
import { builtProgram } from "../compat/daemon-process.ts";
import { testWithProgram } from "../compat/programs.ts";
import { PYTHON } from "../conformance/support/programs.ts";
import { DRIVER } from "./support.ts";

const run = promisify(execFile);
const uid = process.geteuid?.() ?? 0;
const home: string = mkdtempSync(join(tmpdir(), "onehop-network-"));
const environment = { ...process.env, HOME: home };
const daemons: ChildProcess[] = [];

/** Where the daemons listen; ABSTRACT is a name that nobody has. */
const LISTEN: readonly string[] = [
  "tcp:host=localhost,bind=127.0.0.1,family=ipv4",
  "nonce-tcp:host=127.0.0.1",
  "unix:abstract=ABSTRACT",
];
const PROVING: readonly Mechanism[] = ["DBUS_COOKIE_SHA1", "ANONYMOUS"];

let homeBefore: string | undefined;
beforeAll(() => {
  homeBefore = process.env["HOME"];
  process.env["HOME"] = home;
  mkdirSync(join(home, "run"), { mode: 0o700 });
});
afterAll(async () => {
  process.env["HOME"] = homeBefore;
  await Promise.all(
    daemons.splice(0).map(async (daemon) => {
      daemon.kill();
      await once(daemon, "exit");
    }),
  );
  rmSync(home, { recursive: true });
});

let names = 0;

/** A daemon, theirs or ours, that accepts this one mechanism; its address as it prints it. */
async function startDaemon(
  program: readonly string[],
  listen: string,
  mechanisms: readonly Mechanism[],
): Promise<string> {
  const configuration = join(home, `${++names}.conf`);
  writeFileSync(
    configuration,
    `<busconfig><listen>${listen.replace("ABSTRACT", `onehop-${process.pid}-${names}`)}</listen>` +
      mechanisms.map((name) => `<auth>${name}</auth>`).join("") +
      '<allow_anonymous/><policy context="default"><allow user="*"/><allow send_destination="*"/>' +
      '<allow receive_sender="*"/><allow own="*"/></policy></busconfig>',
  );
  const [file = "", ...words] = program;
  const flags = [`--config-file=${configuration}`, "--nofork", "--print-address"];
  const daemon = spawn(file, [...words, ...flags], {
    stdio: ["ignore", "pipe", "ignore"],
    env: environment,
  });
  daemons.push(daemon);
  const lines = createInterface({ input: daemon.stdout });
  const [address] = await Promise.race([once(lines, "line"), once(daemon, "exit")]);
  return String(address);
}

const theirs = ["dbus-daemon"];
const ours = [process.execPath, builtProgram("onehop-dbus-daemon.cjs")];

/** Every way in: an address, and the one mechanism that the bus accepts there. */
const WAYS: readonly [listen: string, mechanism: Mechanism][] = LISTEN.flatMap((listen) =>
  PROVING.map((mechanism): [string, Mechanism] => [listen, mechanism]),
);

/** The user that the bus takes our client for, or null. */
async function userAt(address: string, options: ConnectOptions = {}): Promise<number | null> {
  const client = await connect(address, options);
  try {
    const { body } = await client.call({
      ...DRIVER,
      member: "GetConnectionUnixUser",
      signature: "s",
      body: [client.uniqueName],
    });
    return Number(body[0]);
  } catch {
    return null;
  } finally {
    await client.close();
  }
}

describe.each([["theirs", theirs] as const, ["ours", ours] as const])(
  "our client, %s",
  (whose, program) => {
    for (const [listen, mechanism] of WAYS) {
      testWithProgram("dbus-daemon", `${whose}: ${mechanism} over ${listen}`, async () => {
        const address = await startDaemon(program, listen, [mechanism]);
        expect(await userAt(address)).toBe(mechanism === "ANONYMOUS" ? null : uid);
        const wrong: Mechanism = mechanism === "ANONYMOUS" ? "DBUS_COOKIE_SHA1" : "ANONYMOUS";
        await expect(connect(address, { authentication: [wrong] })).rejects.toThrow(
          `the server offers "${mechanism}"`,
        );
      });
    }

    testWithProgram(
      "dbus-daemon",
      `${whose}: the client chooses where there is a choice`,
      async () => {
        const address = await startDaemon(program, LISTEN[0] ?? "", MECHANISMS);
        expect(await userAt(address)).toBe(uid);
        expect(await userAt(address, { authentication: ["ANONYMOUS"] })).toBeNull();
      },
    );
  },
);

describe("their clients, our bus", () => {
  const getId = `${DRIVER.interface}.GetId`;
  const clients: readonly [program: string, words: (address: string) => string[]][] = [
    [
      "gdbus",
      (address) => [
        ...["call", "--address", address, "-d", DRIVER.destination, "-o", DRIVER.path],
        ...["-m", getId],
      ],
    ],
    [
      "dbus-send",
      (address) => [
        `--bus=${address}`,
        "--print-reply",
        `--dest=${DRIVER.destination}`,
        DRIVER.path,
        getId,
      ],
    ],
    [
      PYTHON,
      (address) => [
        "-c",
        "import dbus, dbus.bus, sys; print(dbus.bus.BusConnection(sys.argv[1]).get_object(" +
          "'org.freedesktop.DBus', '/org/freedesktop/DBus').GetId())",
        address,
      ],
    ],
  ];
  for (const [program, words] of clients) {
    for (const [listen, mechanism] of WAYS) {
      testWithProgram(program, `${program}: ${mechanism} over ${listen}`, async () => {
        const address = await startDaemon(ours, listen, [mechanism]);
        const { stdout } = await run(program, words(address), { env: environment });
        expect(stdout).toContain(/guid=([0-9a-f]{32})/.exec(address)?.[1]);
      });
    }
  }

  testWithProgram(
    "busctl",
    "busctl, which knows EXTERNAL only, over an abstract name",
    async () => {
      const address = await startDaemon(ours, "unix:abstract=ABSTRACT", ["EXTERNAL"]);
      const words = [`--address=${address}`, "call", DRIVER.destination, DRIVER.path];
      const { stdout } = await run("busctl", [...words, DRIVER.interface, "GetId"]);
      expect(stdout).toContain(/guid=([0-9a-f]{32})/.exec(address)?.[1]);
    },
  );
});

testWithProgram(
  "dbus-launch",
  "a bus that dbus-launch names is the one of autolaunch:",
  async () => {
    const address = await startDaemon(ours, "unix:tmpdir=/tmp", ["EXTERNAL"]);
    const folder = join(home, "bin");
    mkdirSync(folder);
    // The real one needs a display; what it is called with, and how it answers, is what matters here.
    const script = `#!/bin/sh\nprintf '%s\\n' "$@" > ${home}/words\nprintf '${address}\\0abcdefghijkl'\n`;
    writeFileSync(join(folder, "dbus-launch"), script, { mode: 0o755 });
    const before = { PATH: process.env["PATH"], DISPLAY: process.env["DISPLAY"] };
    process.env["PATH"] = `${folder}:${before.PATH}`;
    process.env["DISPLAY"] = ":7";
    try {
      expect(await userAt("autolaunch:scope=x")).toBe(uid);
      const { stdout } = await run("cat", [join(home, "words")]);
      expect(stdout).toMatch(/^--autolaunch=[0-9a-f]{32}\n--binary-syntax\n--close-stderr\n$/);
      process.env["DISPLAY"] = "";
      await expect(connect("autolaunch:")).rejects.toThrow("$DISPLAY is not set");
    } finally {
      process.env["PATH"] = before.PATH;
      if (before.DISPLAY === undefined) delete process.env["DISPLAY"];
      else process.env["DISPLAY"] = before.DISPLAY;
    }
  },
);

test("every client of these tests used this home's cookies", async () => {
  const { stdout } = await run("ls", ["-A", join(home, ".dbus-keyrings")]);
  expect(stdout).toBe("org_freedesktop_general\n");
});
