/** Becoming a monitor, with all that has to be known before. */

import type { Client, Monitor, ReceivedMessage } from "../../client/index.ts";
import { DBusErrorName } from "../../wire/error-names.ts";
import { Message } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageType } from "../../wire/protocol.ts";
import { failure } from "../command-problem.ts";
import type { KnownNames } from "./known-names.ts";
import type { WatchedMessage } from "./watched-message.ts";

const DRIVER = { destination: DRIVER_NAME, path: DRIVER_PATH, interface: DRIVER_NAME };

/**
 * Learns who owns which name. What it asked, and the bus's answers, are returned as they were on the wire.
 *
 * Changes are learned too, until the client is a monitor and sees them like everything else: a signal that comes
 * while an answer is under way is the newer one, or says the same.
 */
export async function learnNames(client: Client, names: KnownNames): Promise<WatchedMessage[]> {
  const changed: Set<unknown> = new Set();
  await client.addMatch({ ...NAME_OWNER_CHANGED }, (signal) => {
    changed.add(signal.body[0]);
    names.seeSignal({ message: signal, bytes: NO_BYTES, timeMicroseconds: 0 });
  });
  const list = await client.call({ ...DRIVER, member: "ListNames" });
  const exchanges = asWatched(client, list, "ListNames", []);
  // The bus answers with an array of strings.
  const known = (list.body[0] as readonly string[]).filter(
    (name) => !name.startsWith(":") && name !== DRIVER_NAME,
  );
  await Promise.all(
    known.map(async (name) => {
      const reply = await ownerOf(client, name);
      if (reply === null) return;
      if (!changed.has(name)) names.set(name, String(reply.body[0]));
      exchanges.push(...asWatched(client, reply, "GetNameOwner", [name]));
    }),
  );
  return exchanges;
}

/** @throws CommandProblem that says why this bus cannot be watched */
export async function becomeMonitor(client: Client, rules: readonly string[]): Promise<Monitor> {
  try {
    return await client.becomeMonitor(rules);
  } catch (error) {
    const name = errorNameOf(error);
    const text = error instanceof Error && "text" in error ? String(error.text) : "";
    if (name === DBusErrorName.AccessDenied) {
      throw failure(
        `the bus does not let this user watch it: ${text}`,
        "the system bus lets root: sudo onehop monitor --system; a session bus lets the user that runs it",
      );
    }
    if (name !== null && NOT_KNOWN.has(name)) {
      throw failure(
        `the bus cannot be watched: it has no method BecomeMonitor (${text})`,
        "dbus-daemon has it since version 1.9.10, dbus-broker and onehop always had it",
      );
    }
    throw error;
  }
}

/** What a monitor sees, without what is about its own becoming one. */
export async function* liveMessages(
  monitor: Monitor,
  uniqueName: string,
): AsyncGenerator<WatchedMessage, void> {
  for await (const { message, bytes, receivedMicroseconds } of monitor) {
    const isOwn =
      message.destination === uniqueName ||
      (message.sender === DRIVER_NAME &&
        message.member === NAME_OWNER_CHANGED.member &&
        message.body[0] === uniqueName);
    if (!isOwn) yield { message, bytes, timeMicroseconds: receivedMicroseconds };
  }
}

const NAME_OWNER_CHANGED = {
  sender: DRIVER_NAME,
  interface: DRIVER_NAME,
  member: "NameOwnerChanged",
} as const;
const NO_BYTES = new Uint8Array(0);
const NOT_KNOWN: ReadonlySet<string> = new Set([
  DBusErrorName.UnknownMethod,
  DBusErrorName.UnknownInterface,
  DBusErrorName.UnknownObject,
]);

/** null if nobody owns it any more. */
async function ownerOf(client: Client, name: string): Promise<ReceivedMessage | null> {
  try {
    return await client.call({ ...DRIVER, member: "GetNameOwner", signature: "s", body: [name] });
  } catch (error) {
    if (errorNameOf(error) === DBusErrorName.NameHasNoOwner) return null;
    throw error;
  }
}

function errorNameOf(error: unknown): string | null {
  return error instanceof Error && "errorName" in error ? String(error.errorName) : null;
}

function asWatched(
  client: Client,
  reply: ReceivedMessage,
  member: string,
  body: readonly string[],
): WatchedMessage[] {
  const call = new Message(
    {
      ...DRIVER,
      type: MessageType.MethodCall,
      serial: reply.replySerial ?? 0,
      member,
      sender: client.uniqueName,
      signature: "s".repeat(body.length),
    },
    body,
  );
  const timeMicroseconds = Date.now() * 1000;
  return [call, new Message(reply, reply.body)].map((message) => ({
    message,
    bytes: encodeMessage(message, message.serial),
    timeMicroseconds,
  }));
}
