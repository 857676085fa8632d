/** What a call, or a connection, can come to. */

import { DBusErrorName } from "../wire/error-names.ts";
import type { MessageHeader } from "../wire/message.ts";
import type { ReceivedMessage } from "./received-message.ts";

/**
 * What kind of failure it was:
 * - `ONEHOP_ERROR_REPLY`: the other side, or the bus, answered with an error; `errorName` is its own;
 * - `ONEHOP_TIMEOUT`: no reply within the deadline (NoReply);
 * - `ONEHOP_ABORTED`: the caller's AbortSignal; its reason is the `cause` (NoReply);
 * - `ONEHOP_DISCONNECTED`: the connection ended, by itself or because of a violation (Disconnected);
 * - `ONEHOP_CLOSED`: the client was closed by its owner (Disconnected);
 * - `ONEHOP_NO_DESCRIPTORS`: this connection cannot pass file descriptors (NotSupported).
 */
export type DBusErrorCode =
  | "ONEHOP_ERROR_REPLY"
  | "ONEHOP_TIMEOUT"
  | "ONEHOP_ABORTED"
  | "ONEHOP_DISCONNECTED"
  | "ONEHOP_CLOSED"
  | "ONEHOP_NO_DESCRIPTORS";

/** The call that failed, or as much of it as is known. */
export type FailedCall = Pick<MessageHeader, "destination" | "path" | "interface" | "member">;

/** A failure without a place in the code yet. */
export interface Failure {
  readonly code: DBusErrorCode;
  readonly text: string;
  readonly cause?: unknown;
}

/** Tell failures apart by `code`, and error replies by `errorName`; never by `instanceof`. */
export class DBusError extends Error {
  override readonly name = "DBusError";
  readonly code: DBusErrorCode;
  /** The D-Bus name, such as `org.freedesktop.DBus.Error.UnknownMethod`. */
  readonly errorName: string;
  /** What went wrong, for people: of an error reply its first argument. */
  readonly text: string;
  /** The call that failed; null if it was not a call. */
  readonly call: FailedCall | null;
  /** All arguments of an error reply. */
  readonly body: readonly unknown[];

  constructor(
    failure: Failure,
    errorName: string,
    call: FailedCall | null,
    body: readonly unknown[] = [],
  ) {
    const where = call === null ? "" : ` (${describeCall(call)})`;
    super(
      `${failure.text === "" ? errorName : failure.text}${where}`,
      failure.cause === undefined ? {} : { cause: failure.cause },
    );
    this.code = failure.code;
    this.errorName = errorName;
    this.text = failure.text;
    this.call = call;
    this.body = body;
  }
}

/** The error for an error reply to `call`. */
export function errorOfReply(reply: ReceivedMessage, call: FailedCall): DBusError {
  const errorName = reply.errorName ?? DBusErrorName.Failed;
  const [first] = reply.body;
  const text = typeof first === "string" ? first : errorName;
  return new DBusError({ code: "ONEHOP_ERROR_REPLY", text }, errorName, call, reply.body);
}

/** The error for a failure on this side. */
export function errorOf(failure: Failure, call: FailedCall | null): DBusError {
  return new DBusError(failure, errorNameOf(failure.code), call);
}

function errorNameOf(code: DBusErrorCode): string {
  switch (code) {
    case "ONEHOP_ERROR_REPLY":
      return DBusErrorName.Failed;
    case "ONEHOP_TIMEOUT":
    case "ONEHOP_ABORTED":
      return DBusErrorName.NoReply;
    case "ONEHOP_DISCONNECTED":
    case "ONEHOP_CLOSED":
      return DBusErrorName.Disconnected;
    case "ONEHOP_NO_DESCRIPTORS":
      return DBusErrorName.NotSupported;
  }
}

/** `org.example.Interface.Member at /path of org.example.Name`. */
function describeCall(call: FailedCall): string {
  const method = call.interface === null ? call.member : `${call.interface}.${call.member}`;
  const owner = call.destination === null ? "" : ` of ${call.destination}`;
  return `${method} at ${call.path}${owner}`;
}
