/** Drafts of ordinary messages; a case says only what matters to it. */

import type { Arrival, Client } from "./client.ts";
import { type Draft, Type } from "./wire.ts";

export const PATH = "/org/example/Object";
export const INTERFACE = "org.example.Interface";

export function methodCall(destination: string, draft: Partial<Draft> = {}): Draft {
  return { type: Type.Call, path: PATH, interface: INTERFACE, member: "M", destination, ...draft };
}

/** Without a destination: a broadcast. */
export function signal(draft: Partial<Draft> = {}): Draft {
  return { type: Type.Signal, path: PATH, interface: INTERFACE, member: "S", ...draft };
}

export function methodReturn(
  destination: string,
  replySerial: number,
  draft: Partial<Draft> = {},
): Draft {
  return { type: Type.Return, destination, replySerial, ...draft };
}

export function errorReply(
  destination: string,
  replySerial: number,
  draft: Partial<Draft> = {},
): Draft {
  return { type: Type.Error, errorName: "org.example.Failed", destination, replySerial, ...draft };
}

/** Everything that has reached `receiver` once the bus has dealt with all that `sender` sent. */
export async function heard(sender: Client, receiver: Client): Promise<Arrival[]> {
  await sender.drain();
  return receiver.drain();
}
