/** Lines for the system log: the journal's form, syslog's, and what happens when nobody takes them. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { SystemLog } from "../../compat/dbus-daemon/system-log.ts";
import { DatagramReceiver } from "./datagrams.ts";

let folder = "";
let sockets = { journal: "", syslog: "" };
let receivers: DatagramReceiver[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-log-"));
  sockets = { journal: join(folder, "journal"), syslog: join(folder, "log") };
});
afterEach(() => {
  for (const receiver of receivers) receiver.close();
  receivers = [];
  rmSync(folder, { recursive: true });
});

async function bind(name: string): Promise<DatagramReceiver> {
  const receiver = await DatagramReceiver.bind(name);
  receivers.push(receiver);
  return receiver;
}

test("the journal gets fields, those of the entry among them", async () => {
  const journal = await bind(sockets.journal);
  const log = new SystemLog(sockets);
  expect(log.write("warning", "it is late", { maxBytes: 5, name: "a.b", text: "one\ntwo" })).toBe(
    true,
  );
  expect(await journal.receive()).toEqual({
    pid: process.pid,
    text: [
      "PRIORITY=4",
      "SYSLOG_FACILITY=3",
      "SYSLOG_IDENTIFIER=dbus-daemon",
      `SYSLOG_PID=${process.pid}`,
      "MESSAGE=it is late",
      "ONEHOP_MAX_BYTES=5",
      "ONEHOP_NAME=a.b",
      "ONEHOP_TEXT\n\x07\0\0\0\0\0\0\0one\ntwo",
      "",
    ].join("\n"),
  });
});

test("whatever is in an entry, the journal reads the same", async () => {
  const journal = await bind(sockets.journal);
  const log = new SystemLog(sockets);
  const text = fc.string({ unit: "binary", maxLength: 200 });
  const entry = fc.record({ line: text, fields: fc.dictionary(text, text, { maxKeys: 4 }) });
  await fc.assert(
    fc.asyncProperty(entry, async ({ line, fields }) => {
      expect(log.write("info", line, fields)).toBe(true);
      const read = readJournalEntry(Buffer.from((await journal.receive()).text, "latin1"));
      // Lone surrogates have no UTF-8.
      expect(read.get("MESSAGE")).toBe(Buffer.from(line).toString());
      for (const name of read.keys()) expect(name).toMatch(/^[A-Z][A-Z0-9_]{0,63}$/);
      expect(read.get("PRIORITY")).toBe("6");
    }),
    { numRuns: 200 },
  );
});

/** As the journal does, which ignores an entry that it cannot read. */
function readJournalEntry(bytes: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf("\n", at);
    const line = bytes.subarray(at, end).toString();
    const equals = line.indexOf("=");
    at = end + 1;
    if (equals !== -1) {
      fields.set(line.slice(0, equals), line.slice(equals + 1));
      continue;
    }
    const length = Number(bytes.readBigUInt64LE(at));
    fields.set(line, bytes.subarray(at + 8, at + 8 + length).toString());
    expect(bytes[at + 8 + length]).toBe(0x0a);
    at += 8 + length + 1;
  }
  return fields;
}

test.each([
  ["info", 30],
  ["warning", 28],
  ["error", 27],
] as const)("without a journal syslog gets a line, %s as <%i>", async (level, number) => {
  const syslog = await bind(sockets.syslog);
  expect(new SystemLog(sockets).write(level, "text", { a: 1 })).toBe(true);
  const { text } = await syslog.receive();
  const time = "[A-Z][a-z]{2} [ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]";
  expect(text).toMatch(new RegExp(`^<${number}>${time} dbus-daemon\\[${process.pid}\\]: text$`));
});

test("without either a line is not taken", () => {
  expect(new SystemLog(sockets).write("info", "text", {})).toBe(false);
});

test("a long line is cut and says how long it was", async () => {
  const syslog = await bind(sockets.syslog);
  new SystemLog(sockets).write("info", "x".repeat(100_000), {});
  const { text } = await syslog.receive();
  expect(text).toMatch(/: x{8000}/);
  expect(text).toContain("(100000 bytes)");
});

test("a log that does not keep up costs lines, never time, and the loss is told first", async () => {
  const syslog = await bind(sockets.syslog);
  const log = new SystemLog(sockets);
  const room = Number(readFileSync("/proc/sys/net/unix/max_dgram_qlen", "utf8"));
  // The kernel keeps that many, and one or two more.
  const count = room + 100;
  for (let index = 0; index < count; index++) {
    expect(log.write("info", `line ${index}`, {})).toBe(true);
  }
  const seen: string[] = [];
  const textOf = async (): Promise<string> => {
    const { text } = await syslog.receive();
    return text.slice(text.indexOf("]: ") + 3);
  };
  while (seen.length < room) seen.push(await textOf());
  expect(seen).toEqual(Array.from({ length: room }, (_, index) => `line ${index}`));
  log.write("info", "after", {});
  let last = await textOf();
  let kept = room;
  while (last === `line ${kept}`) {
    kept++;
    last = await textOf();
  }
  expect(last).toBe(
    `${count - kept} lines before this one are lost: the system log did not take them in time`,
  );
  expect(await textOf()).toBe("after");
});
