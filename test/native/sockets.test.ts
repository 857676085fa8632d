/** The addon's single calls on sockets and descriptors. */

import { execFile, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, addonFile, drain, opened, pair, pattern, program, text } from "./rig.ts";

const { EADDRINUSE, EBADF, ECONNREFUSED, EINVAL, EMSGSIZE, ENAMETOOLONG, ENOENT, ENOTSOCK } =
  constants.errno;
const EAGAIN = constants.errno.EAGAIN;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

let folder = "";
let before: ReadonlySet<string>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-native-"));
  before = openDescriptors();
});

afterEach(() => {
  expect(openedSince(before)).toEqual([]);
  rmSync(folder, { recursive: true });
});

function flags(fd: number): number {
  const line = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"));
  return Number.parseInt(line?.[1] ?? "", 8);
}

function close(...fds: number[]): void {
  for (const fd of fds) expect(addon.closeDescriptor(fd)).toBe(0);
}

test("a listener at a path takes connections, does not block and is not inherited", () => {
  const path = join(folder, "bus");
  const listener = opened(addon.listenUnix(path, false, 8));
  expect(flags(listener) & (O_NONBLOCK | O_CLOEXEC)).toBe(O_NONBLOCK | O_CLOEXEC);
  const connection = opened(addon.connectUnix(path, false));
  expect(flags(connection) & (O_NONBLOCK | O_CLOEXEC)).toBe(O_NONBLOCK | O_CLOEXEC);
  close(listener, connection);
  expect(existsSync(path)).toBe(true);
});

test("a pipe blocks, is not inherited, and carries bytes one way", () => {
  const [reading = -1, writing = -1] = addon.pipe() as [number, number]; // it is -errno without descriptors only
  for (const end of [reading, writing]) {
    expect(flags(end) & (O_NONBLOCK | O_CLOEXEC)).toBe(O_CLOEXEC);
  }
  expect(writeSync(writing, "bytes")).toBe(5);
  close(writing);
  const bytes = Buffer.alloc(9);
  expect(bytes.toString("latin1", 0, readSync(reading, bytes))).toBe("bytes");
  expect(readSync(reading, bytes)).toBe(0);
  close(reading);
});

test("a descriptor that was inherited is not passed on once that has been asked for", () => {
  const program = `
    const { loadAddon } = await import(${JSON.stringify(join(import.meta.dirname, "../../dist/native/binding.js"))});
    const { spawnSync } = await import("node:child_process");
    const look = () => String(spawnSync("/bin/ls", ["/proc/self/fd"]).stdout).includes("100");
    const before = look();
    console.log(before, loadAddon().closeOnExec(3), look());
  `;
  const command = 'exec 100< /dev/null; exec "$0" --input-type=module -e "$1"';
  const { stdout } = spawnSync("/bin/bash", ["-c", command, process.execPath, program]);
  expect(String(stdout)).toBe("true 0 false\n");
});

test("an abstract name needs no file and is exact to the byte", () => {
  const name = `onehop-test-${process.pid}`;
  const listener = opened(addon.listenUnix(name, true, 8));
  // node:net pads the name with NULs up to the end of the address, which is another name.
  expect(readFileSync("/proc/net/unix", "latin1")).toMatch(new RegExp(` @${name}$`, "m"));
  close(opened(addon.connectUnix(name, true)));
  expect(addon.connectUnix(`${name}x`, true)).toBe(-ECONNREFUSED);
  expect(addon.connectUnix(name.slice(0, -1), true)).toBe(-ECONNREFUSED);
  close(listener);
});

test("names that are no address are refused without a trace", () => {
  expect(addon.listenUnix(join(folder, "x".repeat(108)), false, 8)).toBe(-ENAMETOOLONG);
  expect(addon.connectUnix("x".repeat(5000), true)).toBe(-ENAMETOOLONG);
  expect(addon.listenUnix("", false, 8)).toBe(-EINVAL);
  expect(addon.listenUnix("a\0b", false, 8)).toBe(-EINVAL);
  expect(addon.connectUnix(join(folder, "nobody"), false)).toBe(-ENOENT);
});

test("a name of 107 bytes, the longest there is, works", () => {
  const name = join(folder, "y".repeat(107 - folder.length - 1));
  close(opened(addon.listenUnix(name, false, 8)));
  const abstract = "z".repeat(107);
  const listener = opened(addon.listenUnix(abstract, true, 8));
  close(opened(addon.connectUnix(abstract, true)), listener);
});

test("a path in use stays in use: nothing is unlinked", () => {
  const path = join(folder, "bus");
  const first = opened(addon.listenUnix(path, false, 8));
  expect(addon.listenUnix(path, false, 8)).toBe(-EADDRINUSE);
  close(opened(addon.connectUnix(path, false)), first);
  expect(addon.listenUnix(path, false, 8)).toBe(-EADDRINUSE);
  expect(addon.connectUnix(path, false)).toBe(-ECONNREFUSED);
});

test("a full backlog refuses at once instead of blocking", () => {
  const path = join(folder, "bus");
  const listener = opened(addon.listenUnix(path, false, 0));
  const connections: number[] = [];
  let result = 0;
  for (let i = 0; i < 10 && result >= 0; i++) {
    result = addon.connectUnix(path, false);
    if (result >= 0) connections.push(result);
  }
  expect(result).toBe(-EAGAIN);
  close(listener, ...connections);
});

test("an inherited listener is adopted, anything else is not", () => {
  const path = join(folder, "bus");
  const listener = opened(addon.listenUnix(path, false, 8));
  const [one, other] = pair();
  const file = openSync("/dev/null", "r");
  expect(addon.adoptListener(listener)).toBe(0);
  expect(flags(listener) & (O_NONBLOCK | O_CLOEXEC)).toBe(O_NONBLOCK | O_CLOEXEC);
  expect(addon.adoptListener(one)).toBe(-EINVAL);
  expect(addon.adoptListener(file)).toBe(-ENOTSOCK);
  expect(addon.adoptListener(99999)).toBe(-EBADF);
  closeSync(file);
  close(listener, one, other);
});

test("a memory descriptor holds its bytes", () => {
  const bytes = pattern(100_000);
  const fd = opened(addon.memoryDescriptor(bytes));
  expect(addon.readDescriptor(fd, 200_000)).toEqual(bytes);
  expect(addon.readDescriptor(fd, 10)).toEqual(bytes.subarray(0, 10));
  expect(addon.readDescriptor(fd, -1)).toBe(-EINVAL);
  expect(addon.readDescriptor(99999, 1)).toBe(-EBADF);
  const empty = opened(addon.memoryDescriptor(new Uint8Array(0)));
  expect(addon.readDescriptor(empty, 1)).toEqual(new Uint8Array(0));
  close(fd, empty);
});

test("a duplicate is another descriptor of the same file", () => {
  const fd = opened(addon.memoryDescriptor(pattern(4)));
  const copy = opened(addon.duplicateDescriptor(fd));
  expect(copy).not.toBe(fd);
  expect(flags(copy) & O_CLOEXEC).toBe(O_CLOEXEC);
  expect(fstatSync(copy).ino).toBe(fstatSync(fd).ino);
  expect(addon.duplicateDescriptor(99999)).toBe(-EBADF);
  expect(addon.closeDescriptor(99999)).toBe(-EBADF);
  close(fd, copy);
});

test("bytes and descriptors go through a socket pair", () => {
  const [one, other] = pair();
  const file = opened(addon.memoryDescriptor(Buffer.from("inside")));
  expect(addon.send(one, Buffer.from("with"), [file, file])).toBe(4);
  close(file);
  const into = new Uint8Array(16);
  const { byteLength, descriptors } = addon.receive(other, into, 2);
  expect(text(into.subarray(0, byteLength))).toBe("with");
  expect(descriptors).toHaveLength(2);
  for (const fd of descriptors) {
    expect(flags(fd) & O_CLOEXEC).toBe(O_CLOEXEC);
    expect(addon.readDescriptor(fd, 9)).toEqual(new Uint8Array(Buffer.from("inside")));
  }
  close(...descriptors);
  expect(addon.receive(other, into, 2).byteLength).toBe(-EAGAIN);
  close(one);
  expect(addon.receive(other, into, 2)).toEqual({ byteLength: 0, descriptors: [] });
  close(other);
});

test("more descriptors than asked for are closed, not leaked", () => {
  const [one, other] = pair();
  const file = opened(addon.memoryDescriptor(new Uint8Array(1)));
  addon.send(one, Buffer.from("x"), [file, file, file]);
  expect(addon.receive(other, new Uint8Array(4), 2)).toEqual({
    byteLength: -EMSGSIZE,
    descriptors: [],
  });
  expect(addon.send(one, Buffer.from("x"), Array(254).fill(file))).toBe(-EINVAL);
  expect(addon.send(one, Buffer.from("x"), [99999])).toBe(-EBADF);
  expect(addon.send(one, Buffer.from("x"), Array(253).fill(file))).toBe(1);
  expect(text(drain(other))).toBe("x");
  close(one, other, file);
});

test("arguments of the wrong type are thrown back", () => {
  const careless = addon as unknown as Record<string, (...values: unknown[]) => unknown>; // wrong on purpose
  expect(() => careless["closeDescriptor"]?.("1")).toThrow(/a number is expected/);
  expect(() => careless["listenUnix"]?.(1, false, 8)).toThrow(/a string is expected/);
  expect(() => careless["listenUnix"]?.("x", 0, 8)).toThrow(/a boolean is expected/);
  expect(() => careless["send"]?.(0, "text", [])).toThrow(/typed array/);
  expect(() => careless["send"]?.(0, new Uint8Array(1), ["x"])).toThrow(/a number is expected/);
  expect(() => careless["send"]?.(0)).toThrow(/too few arguments/);
  expect(() => careless["createPoller"]?.({})).toThrow();
});

/** Receives for us, as Node cannot; ends with what came. */
const datagramReceiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + sys.argv[1][1:] if sys.argv[1].startswith("@") else sys.argv[1])
print("bound", flush=True)
sys.stdin.readline()
s.setblocking(False)
count = 0
try:
    while True:
        data = s.recv(1 << 20); count += 1
except BlockingIOError: pass
print(count, len(data), data[:5].decode())
`;

async function withReceiver(name: string, send: () => void): Promise<string> {
  const child = spawn("python3", ["-c", datagramReceiver, name], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  const ended = new Promise((resolve) => child.once("close", resolve));
  await new Promise<void>((resolve) =>
    child.stdout.on("data", (data) => {
      said += data;
      resolve();
    }),
  );
  send();
  child.stdin.end("\n");
  await ended;
  return said;
}

test.each(["a path", "an abstract name"])("a datagram to %s arrives whole", async (kind) => {
  const isAbstract = kind !== "a path";
  const name = isAbstract ? `onehop-datagram-${process.pid}` : join(folder, "log");
  const said = await withReceiver(isAbstract ? `@${name}` : name, () => {
    expect(addon.sendDatagram(name, isAbstract, Buffer.from("hello".padEnd(30_000)))).toBe(0);
  });
  expect(said).toBe("bound\n1 30000 hello\n");
});

test("datagrams that have no receiver, no room or no such length are refused, and none waits", async () => {
  const path = join(folder, "log");
  const byte = Buffer.from("x");
  expect(addon.sendDatagram(path, false, byte)).toBe(-ENOENT);
  expect(addon.sendDatagram("x".repeat(200), false, byte)).toBe(-ENAMETOOLONG);
  let sent = 0;
  const said = await withReceiver(path, () => {
    expect(addon.sendDatagram(path, false, Buffer.alloc(16 << 20))).toBe(-EMSGSIZE);
    while (addon.sendDatagram(path, false, byte) === 0) sent++;
    expect(addon.sendDatagram(path, false, byte)).toBe(-EAGAIN);
  });
  expect(said).toBe(`bound\n${sent} 1 x\n`);
  // The file is still there, and nobody behind it.
  expect(addon.sendDatagram(path, false, byte)).toBe(-ECONNREFUSED);
});

test("the limit of open files of this process, and of one that it has started", async () => {
  const limits = (pid: number | "self"): string[] =>
    /^Max open files +(\d+) +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.slice(1) ??
    [];
  const [soft, hard] = limits("self").map(Number) as [number, number]; // both are numbers there
  expect(addon.limitOpenFiles(0, hard - 1, hard)).toBe(0);
  expect(limits("self")).toEqual([String(hard - 1), String(hard)]);
  expect(addon.limitOpenFiles(0, soft, hard)).toBe(0);
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const { pid = 0 } = child;
  expect(addon.limitOpenFiles(pid, 100, 200)).toBe(0);
  expect(limits(pid)).toEqual(["100", "200"]);
  expect(addon.limitOpenFiles(pid, 300, 200)).toBe(-EINVAL);
  expect(addon.limitOpenFiles(pid, -1, 200)).toBe(-EINVAL);
  child.kill();
  await ended;
});

test("blocks that are mapped go back to the kernel when they are freed, whatever lies between them", async () => {
  const freed = async (...threshold: readonly string[]): Promise<number> => {
    const words = ["--expose-gc", program("freed-blocks.mjs"), addonFile, ...threshold];
    return Number((await promisify(execFile)(process.execPath, words)).stdout);
  };
  expect(addon.mapBlocksFrom(0)).toBe(-EINVAL);
  expect(await freed(String(1 << 20))).toBeGreaterThan(60);
  expect(await freed()).toBeLessThan(32);
});
