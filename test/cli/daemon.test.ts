/** `onehop daemon` as a process. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import {
  authLine,
  builtProgram,
  handshake,
  type Running,
  start,
} from "../compat/daemon-process.ts";

const program = "cli/main.js";
// Each test starts processes, on machines that do other things as well.
jest.setTimeout(30_000);

let folder = "";
let running: Running[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-test-daemon-"));
});
afterEach(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
  rmSync(folder, { recursive: true });
});

function daemon(words: readonly string[], environment: Record<string, string> = {}): Running {
  const started = start(program, ["daemon", ...words], { TMPDIR: folder, ...environment });
  running.push(started);
  return started;
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s stops it with status 0 and the socket is removed",
  async (signal) => {
    const path = join(folder, "bus");
    const { child, said, ended } = daemon(["--address", `unix:path=${path}`]);
    await said("address=");
    expect(await handshake(`unix:path=${path}`, authLine)).toMatch(/^OK /);
    child.kill(signal);
    expect(await ended).toMatchObject({ status: 0, signal: null, stdout: "" });
    expect(existsSync(path)).toBe(false);
  },
);

test("without an address it takes a new one and prints it when asked", async () => {
  const { child, said, ended } = daemon(["--print-address"]);
  await said("address=");
  child.kill("SIGTERM");
  expect((await ended).stdout).toMatch(/^unix:path=\/[^,;]+,guid=[0-9a-f]{32}\n$/);
});

test("several addresses", async () => {
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  const words = ["--address", `unix:path=${one}`, "--address", `unix:path=${two}`, "--json"];
  const { child, said, ended } = daemon(words);
  await said("guid");
  child.kill("SIGTERM");
  const { stdout, stderr } = await ended;
  const { address, guid, processId } = JSON.parse(stdout);
  expect(address).toBe(`unix:path=${one},guid=${guid};unix:path=${two},guid=${guid}`);
  expect(processId).toBe(child.pid);
  for (const line of stderr.trimEnd().split("\n")) {
    expect(JSON.parse(line)).toMatchObject({ time: expect.any(String), level: "info" });
  }
});

test("a live bus is refused in one line, and goes on", async () => {
  const address = `unix:path=${join(folder, "bus")}`;
  await daemon(["--address", address]).said("address=");
  const { status, stdout, stderr } = await daemon(["--address", address]).ended;
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^\S+ error .*\n$/);
  expect(stderr).toContain(join(folder, "bus"));
  expect(await handshake(address, authLine)).toMatch(/^OK /);
});

test("a socket that nobody listens on any more is taken over", async () => {
  const address = `unix:path=${join(folder, "bus")}`;
  const first = daemon(["--address", address]);
  await first.said("address=");
  first.child.kill("SIGKILL");
  await first.ended;
  expect(existsSync(join(folder, "bus"))).toBe(true);
  await daemon(["--address", address]).said("address=");
  expect(await handshake(address, authLine)).toMatch(/^OK /);
});

test("a socket of another program is not taken away", async () => {
  const path = join(folder, "bus");
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const { status } = await daemon(["--address", `unix:path=${path}`]).ended;
  expect(status).toBe(1);
  expect(existsSync(path)).toBe(true);
  await new Promise((resolve) => server.close(resolve));
});

test("a configuration with an error is told with its place", async () => {
  const { status, stderr } = await daemon(["--config-file", join(folder, "none.conf")]).ended;
  expect(status).toBe(1);
  expect(stderr).toMatch(/none.conf: cannot be read: no such file or directory\n$/);
});

test("--session and --config-file together make no sense", async () => {
  expect((await daemon(["--session", "--config-file", "x"]).ended).status).toBe(2);
});

test("without the addon it works and one line says what is missing", async () => {
  const address = `unix:path=${join(folder, "bus")}`;
  const { said, child, ended } = daemon(["--address", address], { ONEHOP_ADDON: "none" });
  await said("address=");
  expect(await handshake(address, authLine)).toMatch(/^OK /);
  child.kill("SIGTERM");
  const { stderr } = await ended;
  expect(stderr.split("\n").filter((line) => line.includes("file descriptor"))).toHaveLength(1);
});

test("--version says what package.json says", async () => {
  const root = join(dirname(builtProgram(program)), "../..");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { status, stdout } = await start(program, ["--version"]).ended;
  expect({ status, stdout }).toEqual({ status: 0, stdout: `${version}\n` });
});
