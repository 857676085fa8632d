/** A message on a line, or on a terminal on a few that fit. */

import { MessageFlag, MessageType } from "../../wire/protocol.ts";
import type { Colour, Paint } from "../print/colour.ts";
import { oneLine } from "../print/table.ts";
import { argumentText, quoted, type TextLimits } from "./argument-text.ts";
import type { KnownNames } from "./known-names.ts";
import type { Observation } from "./observer.ts";

export interface CompactOptions {
  readonly limits: TextLimits;
  /** Columns after which a line is continued on the next one; null: never. */
  readonly width: number | null;
  readonly paint: Paint;
}

interface Part {
  readonly text: string;
  readonly colour: Colour | null;
}

const ARROWS: Readonly<Record<MessageType, Part>> = {
  [MessageType.MethodCall]: { text: "→", colour: null },
  [MessageType.MethodReturn]: { text: "←", colour: "grey" },
  [MessageType.Error]: { text: "✗", colour: "red" },
  [MessageType.Signal]: { text: "●", colour: "yellow" },
};

/** Behind time and arrow. */
const INDENTATION = " ".repeat("00:00:00.000 → ".length);

/** `time arrow sender > destination path interface.member arguments`; of a reply, the call's member and how long it took. */
export function compactText(
  observation: Observation,
  names: KnownNames,
  { limits, width, paint }: CompactOptions,
): string {
  const { message, timeMicroseconds } = observation;
  // Of a type of a later version of the protocol.
  const arrow = ARROWS[message.type as MessageType] ?? { text: "?", colour: "red" };
  const parts = [
    { text: clockText(timeMicroseconds), colour: "grey" as const },
    arrow,
    { text: endsText(observation, names), colour: null },
    ...subjectParts(observation),
    ...contentParts(observation, limits),
  ].filter(({ text }) => text !== "");
  let text = "";
  let column = 0;
  for (const part of parts) {
    if (width !== null && column > INDENTATION.length && column + part.text.length >= width) {
      text += `\n${INDENTATION}`;
      column = INDENTATION.length;
    } else if (column > 0) {
      text += " ";
      column++;
    }
    text += part.colour === null ? part.text : paint(part.text, part.colour);
    column += part.text.length;
  }
  return `${text}\n`;
}

/** `HH:MM:SS.mmm` of the local day. */
export function clockText(timeMicroseconds: number): string {
  const time = new Date(timeMicroseconds / 1000);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((number) => String(number).padStart(2, "0"))
    .join(":");
  return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/** `12.3 ms`, with as many digits as say something. */
export function durationText(microseconds: number): string {
  if (microseconds < 0) return "?";
  if (microseconds < 1000) return `${(microseconds / 1000).toFixed(3)} ms`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toPrecision(3)} ms`;
  return `${(microseconds / 1_000_000).toFixed(2)} s`;
}

function endsText({ message, call }: Observation, names: KnownNames): string {
  const { sender, destination } = message;
  const from = sender === null ? "?" : endText(sender, names, call?.message.destination ?? null);
  return destination === null ? from : `${from} > ${endText(destination, names, null)}`;
}

/** `org.example.Name(:1.5)`: of several names the one by which the connection was called, if it was. */
export function endText(end: string, names: KnownNames, calledAs: string | null): string {
  if (!end.startsWith(":")) return end;
  const known = names.namesOf(end);
  const name = calledAs !== null && known.includes(calledAs) ? calledAs : known[0];
  return name === undefined ? end : `${name}(${end})`;
}

function subjectParts({ message, call, latencyMicroseconds }: Observation): Part[] {
  const { type, path, flags, replySerial } = message;
  if (type === MessageType.MethodReturn || type === MessageType.Error) {
    if (call === null) return [{ text: `(reply to #${replySerial})`, colour: "grey" }];
    return [
      { text: call.message.member ?? "", colour: null },
      { text: durationText(latencyMicroseconds ?? 0), colour: "grey" },
    ];
  }
  const isOneWay = type === MessageType.MethodCall && (flags & MessageFlag.NoReplyExpected) !== 0;
  return [
    { text: path === null ? "" : oneLine(path, MAXIMUM_PATH_CHARACTERS), colour: "grey" },
    { text: memberText(message), colour: null },
    { text: isOneWay ? "(no reply expected)" : "", colour: "grey" },
  ];
}

/** Paths have no limit of their own. */
const MAXIMUM_PATH_CHARACTERS = 255;

export function memberText(message: Pick<Observation["message"], "interface" | "member">): string {
  const { member } = message;
  return message.interface === null ? (member ?? "") : `${message.interface}.${member ?? ""}`;
}

function contentParts({ message }: Observation, limits: TextLimits): Part[] {
  const { errorName, signature, body, unixFds } = message;
  const parts: Part[] = [];
  if (errorName !== null) parts.push({ text: errorName, colour: "red" });
  const [first] = body;
  const isText = errorName !== null && signature === "s" && typeof first === "string";
  const text = isText ? quoted(first, limits) : argumentText(signature, body, limits);
  parts.push({ text, colour: null });
  if (unixFds > 0)
    parts.push({ text: `(${unixFds} descriptor${unixFds === 1 ? "" : "s"})`, colour: "grey" });
  return parts;
}
