/** The client libraries under test, behind one interface. */

import type { AddonUse } from "../../transport/addon.ts";
import { INTERFACE, PATH, SERVICE_NAME, SIGNAL_RULE } from "./names.ts";

export const LIBRARIES = ["onehop", "without addon", "dbus-native", "dbus-next"] as const;
export type Library = (typeof LIBRARIES)[number];

/** Gets the two arguments of each signal, decoded. */
export type SignalListener = (text: unknown, number: unknown) => void;

/** A connection to the bus, as the documentation of its library has calls and signals at their cheapest. */
export interface Subject {
  /** Calls a method of the service with `su` and returns the number in its reply. */
  call(member: string, text: string, number: number): PromiseLike<unknown>;
  /** Resolves when the match rule is in place. */
  listen(listener: SignalListener): Promise<void>;
}

export async function openLibrary(library: Library, address: string): Promise<Subject> {
  switch (library) {
    case "onehop":
      return openOnehop(address, "required");
    case "without addon":
      return openOnehop(address, "none");
    case "dbus-native":
      return openDbusNative(address);
    case "dbus-next":
      return openDbusNext(address);
  }
}

async function openOnehop(address: string, addon: AddonUse): Promise<Subject> {
  const { connect } = await import("../../client/index.ts");
  const client = await connect(address, { addon });
  return {
    async call(member, text, number) {
      const reply = await client.call({
        destination: SERVICE_NAME,
        path: PATH,
        interface: INTERFACE,
        member,
        signature: "su",
        body: [text, number],
      });
      return reply.body[0];
    },
    async listen(listener) {
      await client.addMatch(SIGNAL_RULE, ({ body }) => listener(body[0], body[1]));
    },
  };
}

async function openDbusNative(address: string): Promise<Subject> {
  const { default: dbus } = await import("dbus-native");
  const bus = dbus.createClient({ busAddress: address });
  return {
    call(member, text, number) {
      return bus.invoke({
        destination: SERVICE_NAME,
        path: PATH,
        interface: INTERFACE,
        member,
        signature: "su",
        body: [text, number],
      });
    },
    async listen(listener) {
      bus.signals.on(bus.mangle(PATH, INTERFACE, "Measured"), (body: readonly unknown[]) =>
        listener(body[0], body[1]),
      );
      await bus.addMatch(SIGNAL_RULE);
    },
  };
}

async function openDbusNext(address: string): Promise<Subject> {
  const { default: dbus } = await import("dbus-next");
  const bus = dbus.sessionBus({ busAddress: address });
  return {
    async call(member, text, number) {
      const reply = await bus.call(
        new dbus.Message({
          destination: SERVICE_NAME,
          path: PATH,
          interface: INTERFACE,
          member,
          signature: "su",
          body: [text, number],
        }),
      );
      return reply?.body[0];
    },
    async listen(listener) {
      bus.on("message", (message) => {
        if (message.member === "Measured") listener(message.body[0], message.body[1]);
      });
      await bus.call(
        new dbus.Message({
          destination: "org.freedesktop.DBus",
          path: "/org/freedesktop/DBus",
          interface: "org.freedesktop.DBus",
          member: "AddMatch",
          signature: "s",
          body: [SIGNAL_RULE],
        }),
      );
    },
  };
}
