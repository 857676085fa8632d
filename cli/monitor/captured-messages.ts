/** The messages of a capture file, as if they passed by again. */

import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { readCapture } from "../../wire/capture-reader.ts";
import { CaptureError } from "../../wire/captured-message.ts";
import { decodeMessage } from "../../wire/message-codec.ts";
import { ProtocolViolation } from "../../wire/violation.ts";
import { failure } from "../command-problem.ts";
import type { WatchedMessage } from "./watched-message.ts";

/**
 * `path` "-" is standard input. Messages that cannot be read are left out, and `tell` is told which and why.
 *
 * @throws CommandProblem if the file cannot be read (any further)
 */
export async function* capturedMessages(
  path: string,
  stop: AbortSignal,
  tell: (text: string) => void,
): AsyncGenerator<WatchedMessage, void> {
  let number = 0;
  try {
    for await (const captured of readCapture(openCapture(path, stop))) {
      number++;
      const { bytes, originalByteLength, timeMicroseconds } = captured;
      const message = bytes.length < originalByteLength ? CUT_OFF : decode(bytes);
      if (typeof message !== "string") yield { message, bytes, timeMicroseconds };
      else tell(`${path}: message ${number} is left out: ${message}`);
    }
  } catch (error) {
    if (stop.aborted) return;
    if (error instanceof CaptureError) throw failure(`${path}: ${error.message}`, hintFor(error));
    if (isSystemError(error)) throw failure(`${path}: ${error.message}`);
    throw error;
  }
}

const CUT_OFF =
  "its end was not captured (busctl keeps 4096 bytes; onehop monitor --pcap keeps all)";

function openCapture(path: string, stop: AbortSignal): Readable {
  if (path !== "-") return createReadStream(path, { signal: stop });
  stop.addEventListener("abort", () => process.stdin.destroy(), { once: true });
  return process.stdin;
}

function decode(bytes: Uint8Array): WatchedMessage["message"] | string {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof ProtocolViolation) return error.message;
    throw error;
  }
}

function hintFor({ code }: CaptureError): string | null {
  switch (code) {
    case "NotACapture":
    case "NotDBus":
      return "captures are written by onehop monitor --pcap FILE, dbus-monitor --pcap and busctl capture";
    case "Truncated":
      return "what came before is shown; the program that captured was interrupted while it wrote";
    case "Malformed":
    case "TooLong":
      return null;
  }
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}
