/** Messages as a desktop session sends them, for the micro benches. */

import { Memory, SLACK_BYTES } from "../../wire/memory.ts";
import { type Message, methodCall, methodReturn, signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";

const messages: readonly Message[] = [
  methodCall({
    destination: "org.freedesktop.Notifications",
    path: "/org/freedesktop/Notifications",
    interface: "org.freedesktop.Notifications",
    member: "Notify",
    signature: "susssasa{sv}i",
    body: ["mail", 0, "mail-unread", "New mail", "Three messages", ["default", "Open"], {}, -1],
  }),
  methodReturn({ serial: 17, sender: ":1.42" }, { signature: "u", body: [7] }),
  methodCall({
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "GetNameOwner",
    signature: "s",
    body: ["org.freedesktop.Notifications"],
  }),
  signal({
    path: "/org/mpris/MediaPlayer2",
    interface: "org.freedesktop.DBus.Properties",
    member: "PropertiesChanged",
    signature: "sas",
    body: ["org.mpris.MediaPlayer2.Player", ["Position", "Metadata"]],
  }),
];

/** The messages one after the other, each at a multiple of eight, and where they start. */
export function sampleMemory(): { readonly memory: Memory; readonly offsets: readonly number[] } {
  const encoded = messages.map((message, index) => encodeMessage(message, index + 1));
  const total = encoded.reduce((sum, bytes) => sum + padded(bytes.length), 0);
  const memory = new Memory(new ArrayBuffer(total + SLACK_BYTES));
  let end = 0;
  const offsets = encoded.map((bytes) => {
    const offset = end;
    memory.bytes.set(bytes, offset);
    end += padded(bytes.length);
    return offset;
  });
  return { memory, offsets };
}

function padded(length: number): number {
  return (length + 7) & ~7;
}
