/** The text of one configuration file, and which file it is. */

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { decodeXml } from "../../xml/decode.ts";
import type { XmlProblem } from "../../xml/parse.ts";
import { describeError, systemErrorCode } from "./system-error.ts";

/** dbus-daemon reads no longer files. */
const MAX_BYTES = 1024 * 1024;

export type TextResult =
  | {
      readonly kind: "text";
      readonly text: string;
      /** Device and inode, to notice a file that includes itself. */
      readonly identity: string;
    }
  /** The file cannot be read; `isMissing`: because it, or a folder on the way to it, does not exist. */
  | { readonly kind: "unreadable"; readonly message: string; readonly isMissing: boolean }
  /** Its bytes are no text. */
  | { readonly kind: "garbled"; readonly problem: XmlProblem };

export function readConfigurationText(path: string): TextResult {
  let bytes: Uint8Array;
  let identity: string;
  try {
    // Without O_NONBLOCK a named pipe called x.conf would stop the whole bus.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = fstatSync(descriptor);
      if (!status.isFile()) return unreadable("is not a regular file");
      if (status.size > MAX_BYTES) {
        return unreadable(`is too large: ${status.size} bytes, ${MAX_BYTES} may be`);
      }
      identity = `${status.dev}:${status.ino}`;
      bytes = readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return unreadable(
      `cannot be read: ${describeError(error)}`,
      systemErrorCode(error) === "ENOENT",
    );
  }
  const { text, problem } = decodeXml(bytes);
  return text === null ? { kind: "garbled", problem } : { kind: "text", text, identity };
}

function unreadable(message: string, isMissing = false): TextResult {
  return { kind: "unreadable", message, isMissing };
}
