/** What a call was answered with. */

import type { ReceivedMessage } from "../../client/index.ts";
import type { JsonMode } from "../json-mode.ts";
import { describeDescriptor } from "./descriptor.ts";
import { formatJson } from "./json.ts";
import { oneLine } from "./table.ts";
import { formatBody } from "./value.ts";
import { bodyJson } from "./value-json.ts";
import { formatBodyLines } from "./value-lines.ts";

export interface ReplyStyle {
  readonly json: JsonMode;
  /** Long values over several lines. */
  readonly verbose: boolean;
  /** Columns of the terminal. */
  readonly width: number;
}

/** Nothing for a reply without arguments. Of descriptors it is said what they are. */
export function formatReply(
  { signature, body, descriptors }: Pick<ReceivedMessage, "signature" | "body" | "descriptors">,
  { json, verbose, width }: ReplyStyle,
): string {
  if (signature === "") return "";
  const described = descriptors.map(({ number }) => oneLine(describeDescriptor(number)));
  if (json !== "off") {
    const value = bodyJson(signature, body);
    return formatJson(described.length === 0 ? value : { ...value, descriptors: described }, json);
  }
  const text = verbose
    ? formatBodyLines(signature, body, width)
    : `${formatBody(signature, body)}\n`;
  return text + described.map((each, index) => `  descriptor ${index}: ${each}\n`).join("");
}
