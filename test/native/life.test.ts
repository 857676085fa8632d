/** Beginning and end: stopping, threads that leave, exceptions, and a poller that nobody needs. */

import { execFile } from "node:child_process";
import { constants } from "node:os";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { addon, addonFile, opened, pair, program, Rig } from "./rig.ts";

const { EBADF, ENOENT } = constants.errno;

let before: ReadonlySet<string>;

beforeEach(() => {
  before = openDescriptors();
});

afterEach(() => {
  expect(openedSince(before)).toEqual([]);
});

test("a stopped poller has closed everything and answers every call", () => {
  const rig = new Rig();
  const { poller } = rig;
  const { slot, peer } = rig.connect();
  rig.segment(100);
  poller.retainDescriptors(
    poller.putDescriptors([opened(addon.memoryDescriptor(Buffer.from("x")))]),
  );
  rig.stage(slot, 1, Buffer.from("not flushed"));
  poller.stop();
  poller.stop();
  expect(addon.receive(peer, new Uint8Array(1), 0).byteLength).toBe(0);
  const [one, other] = pair();
  expect(poller.addConnection(one)).toBe(-EBADF);
  expect(poller.addListener(other, 1)).toBe(-EBADF);
  expect(poller.putDescriptors([peer])).toBe(-EBADF);
  expect(poller.addSegment(new ArrayBuffer(8))).toBe(-EBADF);
  expect(poller.removeSegment(1)).toBe(-ENOENT);
  expect(poller.setListening(1, true)).toBe(-ENOENT);
  expect(poller.closeListener(1)).toBe(-ENOENT);
  expect(poller.setReading(slot, true)).toBe(-ENOENT);
  expect(poller.receiveInto(slot, 1, 0, 1)).toBe(-ENOENT);
  expect(poller.takeDescriptors(slot, 1)).toBe(-ENOENT);
  expect(poller.retainDescriptors(1)).toBe(-EBADF);
  expect(poller.releaseDescriptors(1)).toBe(-EBADF);
  expect(poller.descriptorsOf(1)).toEqual([]);
  expect(poller.credentials(slot)).toBe(-ENOENT);
  expect(poller.close(slot)).toBe(-ENOENT);
  expect(poller.counters()).toHaveLength(6);
  poller.flush(0);
});

test("stopping in the middle of a turn is fine", async () => {
  const rig = new Rig();
  const { slot, peer } = rig.connect();
  addon.send(peer, Buffer.from("x"), []);
  rig.onRecord = () => {
    rig.stage(slot, 1, Buffer.from("y"));
    rig.poller.stop();
    return 0;
  };
  await rig.until(() => rig.seen.length === 1);
  addon.closeDescriptor(peer);
});

test("methods insist on their poller", () => {
  const rig = new Rig();
  const stray = rig.poller.flush;
  expect(() => stray.call({} as never, 0)).toThrow(/this is not a poller/); // wrong on purpose
  expect(() => stray(0)).toThrow();
  rig.poller.stop();
});

test("options that cannot work are thrown back and leave nothing behind", () => {
  expect(() => new Rig({ receiveOffset: 4 })).toThrow(/aligned/);
  expect(() => new Rig({ receiveLength: 1 << 30 })).toThrow(/inside the arena/);
  expect(() => new Rig({ maxSlots: 0 })).toThrow(/out of range/);
  expect(() => new Rig({ unsentFrom: new Float64Array(3) })).toThrow(/wrong length/);
  expect(() => new Rig({ records: new Int32Array(7) })).toThrow(/wrong length/);
  expect(() => new Rig({ onTurn: null as never })).toThrow(/onTurn/); // wrong on purpose
});

/** Runs programs/thread.mjs with a connection that has input, output and descriptors waiting. */
async function runThread(leave: string, isHost: boolean): Promise<unknown[]> {
  const [connection, peer] = pair();
  addon.send(peer, Buffer.from("wake up"), [peer]);
  const workerData = { addonFile, leave, isHost, connection };
  const thread = new Worker(program("thread.mjs"), { workerData });
  const story: unknown[] = [];
  thread.on("message", (message) => {
    story.push(message);
    if (leave === "terminate" || leave === "spin") thread.terminate();
  });
  thread.on("error", (error: Error) => story.push(error.message));
  await new Promise<void>((done) =>
    thread.on("exit", (code) => {
      story.push(code);
      done();
    }),
  );
  // It was hung up on, whether what it sent had been read or not.
  const { byteLength } = addon.receive(peer, new Uint8Array(1), 0);
  expect([0, -constants.errno.ECONNRESET]).toContain(byteLength);
  addon.closeDescriptor(peer);
  return story;
}

describe.each([false, true])("as host: %s", (isHost) => {
  test.each([
    ["terminate", ["turn", 1]],
    ["spin", ["spinning", 1]],
    ["exit", [3]],
    ["exit in a turn", [3]],
    ["throw", ["thrown in onTurn", 1]],
    ["stop in a turn", ["turn", 0]],
  ])("a thread that leaves by %s takes its poller with it", async (leave, story) => {
    expect(await runThread(leave, isHost)).toEqual(story);
  });
});

/** Runs a module in a process of its own; its output, error output and exit code. */
function run(source: string): Promise<[string, string, number]> {
  const prelude = `
    import { createPoller, loadAddonFrom } from ${JSON.stringify(`file://${program("poller.mjs")}`)};
    const addon = loadAddonFrom(${JSON.stringify(addonFile)});
  `;
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      ["--input-type=module", "-e", prelude + source],
      (_error, stdout, stderr) => done([stdout, stderr, child.exitCode ?? -1]),
    );
  });
}

describe.each([false, true])("as host: %s", (isHost) => {
  test("a poller without connections does not keep the process alive", async () => {
    const [output, errors, code] = await run(`
    const poller = createPoller(addon, () => {}, { isHost: ${isHost} });
    const [ours] = addon.socketPair();
    const slot = poller.addConnection(ours);
    setImmediate(() => poller.close(slot));
    process.on("exit", () => console.log("nobody left"));
  `);
    expect([output, errors, code]).toEqual(["nobody left\n", "", 0]);
  });

  test("what onTurn throws is an uncaught exception, and the next turn comes all the same", async () => {
    const [output, errors, code] = await run(`
    let turns = 0;
    const poller = createPoller(addon, () => { throw new Error("thrown " + ++turns); }, { isHost: ${isHost} });
    const [ours, peer] = addon.socketPair();
    poller.addConnection(ours);
    process.on("uncaughtException", (error) => {
      console.log(error.message);
      if (turns === 2) poller.stop();
      else addon.send(peer, Buffer.from("y"), []);
    });
    addon.send(peer, Buffer.from("x"), []);
  `);
    expect([output, errors, code]).toEqual(["thrown 1\nthrown 2\n", "", 0]);
  });

  test("an exception that nobody catches ends the process", async () => {
    const [, errors, code] = await run(`
    const poller = createPoller(addon, () => { throw new Error("fatal"); }, { isHost: ${isHost} });
    const [ours, peer] = addon.socketPair();
    poller.addConnection(ours);
    addon.send(peer, Buffer.from("x"), []);
  `);
    expect(errors).toMatch(/Error: fatal/);
    expect(code).toBe(1);
  });
});

test("onTurn must tell how many words to run", async () => {
  const [, errors, code] = await run(`
    const poller = createPoller(addon, () => {}, { onTurn: () => 5000 });
    const [ours, peer] = addon.socketPair();
    poller.addConnection(ours);
    addon.send(peer, Buffer.from("x"), []);
  `);
  expect(errors).toMatch(/TypeError: onTurn must return how many words/);
  expect(code).toBe(1);
});
