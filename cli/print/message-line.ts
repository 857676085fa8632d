/** A message in one line. */

import { typeName } from "../../matchrules/canonical.ts";
import type { MessageHeader } from "../../wire/message.ts";

/** Type, sender → destination, and what it is about: `signal :1.5 → everybody: /a org.example.I.Changed (su)`. */
export function formatMessageLine(message: MessageHeader): string {
  const {
    type,
    sender,
    destination,
    path,
    interface: name,
    member,
    errorName,
    signature,
  } = message;
  const about = [path, name === null ? member : `${name}.${member}`, errorName].filter(
    (text) => text !== null,
  );
  const way = `${sender ?? "?"} → ${destination ?? "everybody"}`;
  return `${typeName(type)} ${way}: ${[...about, `(${signature})`].join(" ")}`;
}
