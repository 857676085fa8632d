/** Commands as processes: what they print, and their exit statuses. */

import { spawn } from "node:child_process";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type StartedBus, startBus } from "../../bus/index.ts";
import type { Client } from "../../client/index.ts";
import { builtProgram, type Ended, start } from "../compat/daemon-process.ts";
import { ECHO, startEcho } from "./echo-service.ts";

jest.setTimeout(60_000);

let folder = "";
let bus: StartedBus;
let service: Client;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "onehop-test-cli-"));
  bus = await startBus({ listen: [`unix:path=${join(folder, "bus")}`], mayConnect: () => true });
  service = await startEcho(bus.address);
});
afterAll(async () => {
  await service.close();
  await bus.stop();
  rmSync(folder, { recursive: true });
});

function onehop(...words: string[]): Promise<Ended> {
  return start("cli/main.js", words, { DBUS_SESSION_BUS_ADDRESS: bus.address }).ended;
}

test("call prints the reply, and its status is 0", async () => {
  const outcomes = await Promise.all([
    onehop("call", ECHO, "/", ECHO, "Echo", "sn", "x", "-5"),
    onehop("call", "--json", ECHO, "/", `${ECHO}.Echo`, "--args", '["x"]'),
    onehop("call", ECHO, "/", ECHO, "Echo", "d", "--", "-inf"),
    onehop("call", "-q", ECHO, "/", ECHO, "Echo", "s", "x"),
  ]);
  expect(outcomes.map(({ status, stdout, stderr }) => [status, stdout, stderr])).toEqual([
    [0, 'sn "x" -5\n', ""],
    [0, '{"type":"s","data":["x"]}\n', ""],
    [0, "d -inf\n", ""],
    [0, "", ""],
  ]);
});

test("what goes wrong is told in a line and a hint, with a status of its own", async () => {
  const outcomes = await Promise.all([
    onehop("call", ECHO, "/", ECHO, "Fail"),
    onehop("call", "org.example.Ecko", "/", ECHO, "Echo"),
    onehop("call", ECHO, "/", ECHO, "Silent", "--timeout", "2s"),
    onehop("call", ECHO, "/", ECHO, "Echo", "u", "abc"),
    onehop("call", ECHO, "/", ECHO, "Echo", "--json=long"),
    onehop("call", "--address", `unix:path=${folder}/none`, ECHO, "/", ECHO, "Echo"),
    onehop("status", "org.example.Nobody"),
  ]);
  expect(outcomes.map(({ status, stdout, stderr }) => [status, stdout, stderr])).toEqual([
    [1, "", "onehop: org.example.Error.Bad: it is\\nbad\n"],
    [
      1,
      "",
      expect.stringMatching(
        /^onehop: org.freedesktop.DBus.Error.ServiceUnknown: .*\n {2}similar names on the bus: org.example.Echo\n$/,
      ),
    ],
    [1, "", `onehop: no reply within 2000 ms (${ECHO}.Silent at / of ${ECHO})\n`],
    [
      2,
      "",
      'onehop: argument 1 ("abc") of type u: expected a whole number from 0 to 4294967295, for example 42\n',
    ],
    [2, "", "onehop: --json=long: expected short, pretty or off\n  more: onehop call --help\n"],
    [3, "", `onehop: cannot connect: unix:path=${folder}/none: ENOENT\n`],
    [1, "", "onehop: nobody owns org.example.Nobody\n  names that there are: onehop list\n"],
  ]);
});

test("an unknown method's hint has the methods that there are", async () => {
  const { status, stderr } = await onehop(
    "call",
    "org.freedesktop.DBus",
    "/",
    "org.freedesktop.DBus",
    "GetNames",
  );
  expect(status).toBe(1);
  expect(stderr).toContain("methods of org.freedesktop.DBus: Hello() → s, RequestName(s, u) → u");
});

test("list, tree, introspect, status and get-property print", async () => {
  const [list, tree, introspect, status, owner, property] = await Promise.all([
    onehop("list", "--acquired", "--no-legend"),
    onehop("tree", ECHO),
    onehop("introspect", ECHO, "/", ECHO),
    onehop("status"),
    onehop("status", ECHO, "--json"),
    onehop(
      "get-property",
      "org.freedesktop.DBus",
      "/org/freedesktop/DBus",
      "org.freedesktop.DBus",
      "Interfaces",
    ),
  ]);
  expect(list.stdout).toMatch(/^org\.example\.Echo +\d+ +\S+ +\S+ +:1\.\d+ /);
  expect(tree.stdout).toContain("│ └─/a/b/c2\n");
  expect(introspect.stdout).toMatch(/^\.Version +property +u +1 +const$/m);
  expect(status.stdout).toMatch(/^Bus id +[0-9a-f]{32}$/m);
  expect(status.stdout).toMatch(/^Implementation +onehop$|^Peers +\d+$/m);
  expect(JSON.parse(owner.stdout)).toMatchObject({ names: [ECHO], processId: process.pid });
  expect(property.stdout).toMatch(/^as \d "org.freedesktop.DBus.Monitoring"/);
});

test("a signal arrives", async () => {
  const signals = await service.signals({ interface: "org.example.I" });
  const { status } = await onehop("emit", "/a", "org.example.I.Changed", "sy", "one", "5");
  expect(status).toBe(0);
  const { value } = await signals.next();
  expect(value).toMatchObject({ path: "/a", member: "Changed", body: ["one", 5] });
});

test("a descriptor of the shell goes there and back, and it is said what it is", async () => {
  const file = join(folder, "passed");
  writeFileSync(file, "");
  const child = spawn(
    process.execPath,
    [
      builtProgram("cli/main.js"),
      "call",
      "--address",
      bus.address,
      ECHO,
      "/",
      ECHO,
      "Echo",
      "h",
      "3",
    ],
    { stdio: ["ignore", "pipe", "inherit", openSync(file, "r")] },
  );
  const stdout = await text(child.stdout as Readable); // a pipe was asked for
  expect(stdout).toBe(`h 0\n  descriptor 0: ${file}, for reading\n`);
});
