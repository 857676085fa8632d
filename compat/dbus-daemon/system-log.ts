/** The system log: the journal of systemd where there is one, or syslog's socket. */

import type { LogEntry } from "../../bus/index.ts";
import { findAddon } from "../../transport/addon.ts";
import { isTryAgain } from "./system-error.ts";

/** Where the two are on every system. */
export const systemLogSockets = {
  journal: "/run/systemd/journal/socket",
  syslog: "/dev/log",
} as const;

/** As lines of dbus-daemon are marked, which administrators filter by. */
const IDENTIFIER = "dbus-daemon";
/** LOG_DAEMON of syslog(3). */
const FACILITY = 3;
const PRIORITY = { info: 6, warning: 4, error: 3 } as const;
/** What rsyslog takes; a longer line is cut. */
const MAX_LINE_BYTES = 8_000;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** Never waits: a line for which the log has no room is lost, counted, and its loss told with the next one. */
export class SystemLog {
  readonly #sockets: { readonly journal: string; readonly syslog: string };
  #lostCount = 0;

  constructor(sockets: { readonly journal: string; readonly syslog: string } = systemLogSockets) {
    this.#sockets = sockets;
  }

  /** False if there is no system log that takes anything, or no addon to reach it. */
  write(level: LogEntry["level"], line: string, fields: LogEntry["fields"]): boolean {
    if (this.#lostCount > 0) {
      const text = `${this.#lostCount} lines before this one are lost: the system log did not take them in time`;
      const result = this.#send("warning", text, {});
      if (result === 0) this.#lostCount = 0;
    }
    // Not before the loss has been told: lines would seem to follow each other.
    const result = this.#lostCount > 0 ? "full" : this.#send(level, line, fields);
    if (result === "full") this.#lostCount++;
    return result !== "absent";
  }

  #send(level: LogEntry["level"], line: string, fields: LogEntry["fields"]): 0 | "full" | "absent" {
    const { addon } = findAddon("optional");
    if (addon === null) return "absent";
    const text = cut(line);
    const { journal, syslog } = this.#sockets;
    let result = addon.sendDatagram(journal, false, journalEntry(level, text, fields));
    if (result < 0 && !isTryAgain(result)) {
      result = addon.sendDatagram(syslog, false, syslogEntry(level, text));
    }
    if (result === 0) return 0;
    return isTryAgain(result) ? "full" : "absent";
  }
}

/** https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: a line for each field; a value with a newline has its length before it. */
function journalEntry(
  level: LogEntry["level"],
  line: string,
  fields: LogEntry["fields"],
): Uint8Array {
  const all: Record<string, string | number> = {
    PRIORITY: PRIORITY[level],
    SYSLOG_FACILITY: FACILITY,
    SYSLOG_IDENTIFIER: IDENTIFIER,
    SYSLOG_PID: process.pid,
    MESSAGE: line,
  };
  for (const [name, value] of Object.entries(fields)) all[journalField(name)] = value;
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(all)) {
    const bytes = Buffer.from(String(value));
    if (!bytes.includes(0x0a)) {
      parts.push(Buffer.from(`${name}=`), bytes, Buffer.from("\n"));
      continue;
    }
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    parts.push(Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n"));
  }
  return Buffer.concat(parts);
}

/** `maxBytes` becomes `ONEHOP_MAX_BYTES`: the journal knows only capital letters, digits and underscores. */
function journalField(name: string): string {
  const words = name.replace(/([a-z])(?=[A-Z])/g, "$1_").replace(/[^A-Za-z0-9]/g, "_");
  return `ONEHOP_${words.toUpperCase()}`.slice(0, 64);
}

/** RFC 3164, with local time, as syslog(3) of the C library sends it. */
function syslogEntry(level: LogEntry["level"], line: string): Uint8Array {
  const now = new Date();
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = String(now.getDate()).padStart(2);
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(":");
  const head = `<${FACILITY * 8 + PRIORITY[level]}>${MONTHS[now.getMonth()]} ${day} ${time}`;
  return Buffer.from(`${head} ${IDENTIFIER}[${process.pid}]: ${line}`);
}

function cut(line: string): string {
  const bytes = Buffer.from(line);
  if (bytes.length <= MAX_LINE_BYTES) return line;
  return `${bytes.subarray(0, MAX_LINE_BYTES).toString("utf8")}… (${bytes.length} bytes)`;
}
