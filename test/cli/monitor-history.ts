/** Histories of a bus, generated: names that come and go, calls, replies, signals; what monitors see of them. */

import fc from "fast-check";
import type { FilterOptions } from "../../cli/monitor/filter.ts";
import type { WatchedMessage } from "../../cli/monitor/watched-message.ts";
import { Message, type MessageHeader } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { DRIVER_NAME, DRIVER_PATH, MessageType } from "../../wire/protocol.ts";
import { rules } from "../matchrules/arbitraries.ts";

export const uniqueNames = [":1.1", ":1.2", ":1.3"];
export const wellKnownNames = ["a.b", "a.b.c", "d.e"];
const anyNames = [...uniqueNames, ...wellKnownNames];
const paths = ["/", "/a", "/a/b", "/ab"];
const interfaces = ["i.a", "i.b"];
const members = ["M", "N"];

/** Its time is its place in the history, in milliseconds. */
export function watched(
  header: Partial<MessageHeader> & Pick<MessageHeader, "type">,
  body: readonly unknown[] = [],
  timeMs = 0,
): WatchedMessage {
  const message = new Message({ serial: 1, ...header }, body);
  return {
    message,
    bytes: encodeMessage(message, message.serial),
    timeMicroseconds: timeMs * 1000,
  };
}

export function ownerChange(name: string, oldOwner: string, newOwner: string): WatchedMessage {
  return watched(
    {
      type: MessageType.Signal,
      sender: DRIVER_NAME,
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      member: "NameOwnerChanged",
      signature: "sss",
    },
    [name, oldOwner, newOwner],
  );
}

type Event =
  | { readonly kind: "owner"; readonly name: string; readonly owner: string }
  | { readonly kind: "message"; readonly message: WatchedMessage }
  | {
      readonly kind: "reply";
      readonly which: number;
      readonly isError: boolean;
      readonly by: string;
    };

const place = { path: fc.constantFrom(...paths), member: fc.constantFrom(...members) };
const sender = fc.constantFrom(...uniqueNames);
const argument = fc.constantFrom("", "a", "a.b", "/a/");

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant("owner" as const),
    name: fc.constantFrom(...wellKnownNames),
    owner: fc.constantFrom("", ...uniqueNames),
  }),
  {
    weight: 2,
    arbitrary: fc
      .record({
        ...place,
        sender,
        interface: fc.option(fc.constantFrom(...interfaces)),
        destination: fc.option(fc.constantFrom(...anyNames, "f.g", DRIVER_NAME)),
        argument,
      })
      .map(({ argument: text, ...header }) => ({
        kind: "message" as const,
        message: watched({ ...header, type: MessageType.MethodCall, signature: "s" }, [text]),
      })),
  },
  {
    arbitrary: fc
      .record({
        ...place,
        sender,
        interface: fc.constantFrom(...interfaces),
        destination: fc.option(fc.constantFrom(...anyNames)),
        argument,
      })
      .map(({ argument: text, ...header }) => ({
        kind: "message" as const,
        message: watched({ ...header, type: MessageType.Signal, signature: "s" }, [text]),
      })),
    weight: 1,
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("reply" as const),
      which: fc.nat(),
      isError: fc.boolean(),
      by: fc.constantFrom(...uniqueNames, DRIVER_NAME),
    }),
  },
);

/** Messages in the order in which they pass by, each with a serial of its own. */
export const histories: fc.Arbitrary<WatchedMessage[]> = fc
  .array(event, { maxLength: 30 })
  .map((events) => {
    const owners: Map<string, string> = new Map();
    const history: WatchedMessage[] = [];
    const add = ({ message }: WatchedMessage): void => {
      const serial = history.length + 1;
      history.push(watched({ ...headerOf(message), serial }, message.body, serial));
    };
    for (const each of events) {
      if (each.kind === "message") add(each.message);
      else if (each.kind === "owner") {
        const old = owners.get(each.name) ?? "";
        if (old === each.owner) continue;
        owners.set(each.name, each.owner);
        add(ownerChange(each.name, old, each.owner));
      } else {
        const calls = history.filter(({ message }) => message.type === MessageType.MethodCall);
        const call = calls[each.which % calls.length];
        if (call === undefined) continue;
        add(
          watched({
            type: each.isError ? MessageType.Error : MessageType.MethodReturn,
            sender: each.by,
            destination: call.message.sender,
            replySerial: call.message.serial,
            errorName: each.isError ? "e.E" : null,
          }),
        );
      }
    }
    return history;
  });

function headerOf(message: MessageHeader): MessageHeader {
  const { type, flags, serial, path, member, errorName, replySerial } = message;
  const { destination, sender: from, signature, unixFds } = message;
  return {
    ...{ type, flags, serial, path, interface: message.interface, member, errorName },
    ...{ replySerial, destination, sender: from, signature, unixFds },
  };
}

/** Mostly nothing, sometimes one or two of them. */
function some(values: readonly string[]): fc.Arbitrary<readonly string[]> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 }),
    },
  );
}

export const filters: fc.Arbitrary<FilterOptions> = fc.record({
  names: some([...anyNames, "f.g", DRIVER_NAME]),
  senders: some([...anyNames, DRIVER_NAME]),
  destinations: some([...anyNames, "f.g", DRIVER_NAME]),
  paths: some(paths),
  pathNamespaces: some(paths),
  interfaces: some([...interfaces, DRIVER_NAME]),
  members: some(members),
  types: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.subarray([...Object.values(MessageType)], { minLength: 1 }) },
  ),
  errors: fc.oneof(
    { weight: 6, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.constantFrom(["e.E"], ["e.Other"]) },
  ),
  rules: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(rules, { minLength: 1, maxLength: 2 }) },
  ),
});
