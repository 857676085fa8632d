/** One match rule against the messages of a capture file. */

import { createReadStream } from "node:fs";
import type { Explanation } from "../matchrules/explain.ts";
import type { OwnerOf } from "../matchrules/explain-text.ts";
import { Explainer } from "../matchrules/explainer.ts";
import type { MatchRule } from "../matchrules/rule.ts";
import { readCapture } from "../wire/capture-reader.ts";
import { type CapturedMessage, CaptureError } from "../wire/captured-message.ts";
import type { Message } from "../wire/message.ts";
import { decodeMessage } from "../wire/message-codec.ts";
import { ProtocolViolation } from "../wire/violation.ts";
import { CaptureOwners } from "./capture-owners.ts";

/** A message of the capture, by its number from 1. */
export interface ExplainedMessage {
  readonly number: number;
  readonly timeMicroseconds: number;
  readonly message: Message;
  readonly explanation: Explanation;
  readonly ownerOf: OwnerOf;
}

/** A message that cannot be explained, or, without number, why the file ends early. */
export interface CaptureProblem {
  readonly number: number | null;
  readonly problem: string;
}

/** All messages of the file, `-` for standard input, in order. */
export async function* explainCapture(
  path: string,
  rule: MatchRule,
): AsyncGenerator<ExplainedMessage | CaptureProblem, void> {
  const explainer = new Explainer(rule);
  const owners = new CaptureOwners();
  const ownerOf: OwnerOf = (name) => owners.ownerOf(name);
  let number = 0;
  try {
    const stream = path === "-" ? process.stdin : createReadStream(path);
    for await (const captured of readCapture(stream)) {
      number++;
      const message = decoded(captured);
      if (typeof message === "string") {
        yield { number, problem: message };
        continue;
      }
      const { sender, destination } = message;
      const receiver = destination === null ? null : (owners.ownerOf(destination) ?? null);
      const circumstances = {
        senderNames: owners.namesOf(sender),
        destinationNames: receiver === null ? [] : [receiver, ...owners.namesOf(receiver)],
      };
      const explanation = explainer.explain(captured.bytes, circumstances);
      yield { number, timeMicroseconds: captured.timeMicroseconds, message, explanation, ownerOf };
      owners.observe(message);
    }
  } catch (error) {
    if (!(error instanceof CaptureError) && !isSystemError(error)) throw error;
    yield { number: null, problem: `${path}: ${error.message}` };
  }
}

function decoded({ bytes, originalByteLength }: CapturedMessage): Message | string {
  if (bytes.length < originalByteLength) {
    return `it was cut off when it was captured, ${bytes.length} of ${originalByteLength} bytes are there (busctl capture --size=${originalByteLength} would take it whole)`;
  }
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
    return `it is not valid: ${error.message}`;
  }
}

/** By its shape: what Node throws need not be an `Error` of this realm. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === "object" && error !== null && "errno" in error && "message" in error;
}
