/** dbus-daemon's words for a message that a policy refuses. */

import type { Endpoint } from "../../routing/endpoint.ts";
import type { Header } from "../../wire/header.ts";
import type { Strings } from "../../wire/intern.ts";
import { DRIVER_NAME } from "../../wire/protocol.ts";
import type { PeerProcesses } from "../peer-process.ts";

const TYPES = ["invalid", "method_call", "method_return", "error", "signal"];

/** What a text is about; a null sender is the bus itself, and so is a null receiver, or who is to be started. */
export interface Refused {
  readonly sender: Endpoint | null;
  readonly receiver: Endpoint | null;
  readonly header: Header;
  readonly isRequested: boolean;
}

/** `what`: for example "Rejected send message"; `matched`: how many rules fitted. */
export function complaintText(
  what: string,
  matched: number,
  { sender, receiver, header, isRequested }: Refused,
  strings: Strings,
  processes: PeerProcesses,
): string {
  const field = (id: number, missing: string): string => (id === 0 ? missing : strings.textOf(id));
  const senderName = sender === null ? "(unset)" : sender.uniqueName;
  const senderProcess = sender === null ? "(bus)" : processes.describe(sender);
  const receiverProcess = receiver === null ? "bus" : processes.describe(receiver);
  return (
    `${what}, ${matched} matched rules; type="${TYPES[header.type] ?? "invalid"}", ` +
    `sender="${senderName}" (${senderProcess}) ` +
    `interface="${field(header.interface, "(unset)")}" ` +
    `member="${field(header.member, "(unset)")}" ` +
    `error name="${field(header.errorName, "(unset)")}" ` +
    `requested_reply="${isRequested ? 1 : 0}" ` +
    `destination="${field(header.destination, DRIVER_NAME)}" (${receiverProcess})`
  );
}
