/** Log entries of a bus as lines: for people, or one JSON object each. */

import type { LogEntry } from "../../bus/index.ts";
import type { Colour, Paint } from "./colour.ts";

const colours: Readonly<Record<LogEntry["level"], Colour>> = {
  info: "grey",
  warning: "yellow",
  error: "red",
};

/** `time level text key=value …`, the time as HH:MM:SS.mmm of the local day; values with spaces quoted. */
export function formatLogLine(entry: LogEntry, time: Date, paint: Paint): string {
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((number) => String(number).padStart(2, "0"))
    .join(":");
  const milliseconds = String(time.getMilliseconds()).padStart(3, "0");
  const pairs = Object.entries(entry.fields).map(([key, value]) => {
    const text = String(value);
    return ` ${paint(`${key}=`, "grey")}${/^[^\s"]+$/.test(text) ? text : JSON.stringify(text)}`;
  });
  const level = paint(entry.level.padEnd(7), colours[entry.level]);
  const text = entry.text.replaceAll("\n", " ");
  return `${paint(`${clock}.${milliseconds}`, "grey")} ${level} ${text}${pairs.join("")}`;
}

/** The same as JSON: `time` in ISO 8601, `level`, `text` and the fields beside them. */
export function formatLogJson(entry: LogEntry, time: Date): string {
  const { level, text, fields } = entry;
  return JSON.stringify({ ...fields, time: time.toISOString(), level, text });
}

/** A log that writes to standard error. */
export function logToStderr(isJson: boolean, paint: Paint): (entry: LogEntry) => void {
  return (entry) => {
    const now = new Date();
    const line = isJson ? formatLogJson(entry, now) : formatLogLine(entry, now, paint);
    process.stderr.write(`${line}\n`);
  };
}
