/** Who is at the other end: ourselves, and a process of another user. */

import { execFile } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type PeerCredentials, RecordKind } from "../../native/binding.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, addonFile, opened, pair, program, Rig } from "./rig.ts";

const { ENOTSOCK } = constants.errno;
const isRoot = process.getuid?.() === 0;

let before: ReadonlySet<string>;

beforeEach(() => {
  before = openDescriptors();
});

afterEach(() => {
  expect(openedSince(before)).toEqual([]);
});

function known(credentials: PeerCredentials | number): PeerCredentials {
  if (typeof credentials === "number") throw new Error(`credentials: ${credentials}`);
  return credentials;
}

/** The process that a pidfd stands for, from its fdinfo. */
function processOf(pidDescriptor: number): number {
  const line = /^Pid:\s*(-?\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${pidDescriptor}`, "utf8"));
  return Number(line?.[1]);
}

test("both ends of a socket pair are this process", () => {
  const [one, other] = pair();
  for (const fd of [one, other]) {
    const { pid, uid, gid, groups, securityLabel, pidDescriptor } = known(addon.credentials(fd));
    expect([pid, uid, gid]).toEqual([process.pid, process.getuid?.(), process.getgid?.()]);
    // getgroups() of node adds the effective group to what the kernel has.
    expect(new Set([gid, ...(groups ?? [])])).toEqual(new Set(process.getgroups?.()));
    expect(securityLabel === null || securityLabel.length > 0).toBe(true);
    if (pidDescriptor >= 0) {
      expect(processOf(pidDescriptor)).toBe(process.pid);
      addon.closeDescriptor(pidDescriptor);
    }
  }
  addon.closeDescriptor(one);
  addon.closeDescriptor(other);
});

test("what has no peer has no credentials", () => {
  const listener = opened(addon.listenUnix(`onehop-credentials-${process.pid}`, true, 1));
  const file = openSync("/dev/null", "r");
  expect(addon.credentials(file)).toBe(-ENOTSOCK);
  expect(addon.credentials(99999)).toBe(-constants.errno.EBADF);
  // A listener has the credentials of whoever made it listen.
  const { pid, pidDescriptor } = known(addon.credentials(listener));
  expect(pid).toBe(process.pid);
  if (pidDescriptor >= 0) addon.closeDescriptor(pidDescriptor);
  closeSync(file);
  addon.closeDescriptor(listener);
});

test("a process of another user is known by pid, uid, gid and groups", async () => {
  if (!isRoot) {
    console.log("not run: only root can start a process of another user");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "onehop-credentials-"));
  chmodSync(folder, 0o755);
  const path = join(folder, "bus");
  const rig = new Rig();
  rig.poller.addListener(opened(addon.listenUnix(path, false, 8)), 1);
  chmodSync(path, 0o666);
  const id = 4_000_000_000; // more than fits a signed word
  let output = "";
  const child = execFile(
    process.execPath,
    [program("credentials.mjs"), addonFile, path, String(id)],
    (error, stdout, stderr) => {
      output = error ? stderr : stdout;
    },
  );
  const ended = new Promise((done) => child.on("close", done));
  await rig.until(() => rig.kinds(RecordKind.Bytes).length === 1);

  const [, , , pid, uid = 0, gid = 0] = rig.kinds(RecordKind.Accepted)[0]?.words ?? [];
  expect([pid, uid >>> 0, gid >>> 0]).toEqual([child.pid, id, id]);
  const slot = rig.kinds(RecordKind.Accepted)[0]?.slot ?? -1;
  const credentials = known(rig.poller.credentials(slot));
  expect([credentials.pid, credentials.uid, credentials.gid]).toEqual([child.pid, id, id]);
  expect(credentials.groups).toEqual([id, id + 1, id + 2]);
  if (credentials.pidDescriptor >= 0) {
    expect(processOf(credentials.pidDescriptor)).toBe(child.pid);
    addon.closeDescriptor(credentials.pidDescriptor);
  }
  rig.poller.close(slot);
  expect(rig.poller.credentials(slot)).toBe(-constants.errno.ENOENT);
  await ended;
  expect(JSON.parse(output)).toMatchObject({ pid: process.pid, uid: 0, gid: 0 });
  rig.poller.stop();
  rmSync(folder, { recursive: true });
});
