/** What the tests of the client share: clients that are closed, descriptors that are counted. */

import type { Bus } from "../../bus/bus.ts";
import type { Client, ClientOptions } from "../../client/client.ts";
import { connect } from "../../client/connect.ts";
import type { DBusError } from "../../client/errors.ts";
import type { ReceivedMessage } from "../../client/received-message.ts";
import { DRIVER_NAME, DRIVER_PATH } from "../../wire/protocol.ts";

/** A method, or a signal, of nobody in particular. */
export const PLACE = { path: "/org/example", interface: "org.example.Interface", member: "Member" };

/** Ends with the test. */
export class Clients {
  readonly #clients: Client[] = [];

  async join(
    to: Bus | string,
    options: ClientOptions & { addon?: "required" | "none" } = {},
  ): Promise<Client> {
    const client = await connect(typeof to === "string" ? to : to.connect(), options);
    this.#clients.push(client);
    return client;
  }

  get uniqueNames(): string[] {
    return this.#clients.map(({ uniqueName }) => uniqueName);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
  }
}

/** Resolves when the bus has handled all that this client sent before, and the client all that came for it. */
export async function settled(client: Client): Promise<void> {
  await client.call({ ...DRIVER, member: "GetId" });
}

export const DRIVER = { destination: DRIVER_NAME, path: DRIVER_PATH, interface: DRIVER_NAME };

/** What the promise was rejected with, which is expected to be a DBusError. */
export async function failureOf(promise: Promise<unknown>): Promise<DBusError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Error && error.name === "DBusError") {
    return error as DBusError; // its name says so
  }
  throw new Error(`expected a DBusError, got ${String(error)}`);
}

/** Takes every call and answers it with its own arguments. */
export function echo(client: Client): void {
  client.onCall = (call: ReceivedMessage) => {
    const { signature, body, descriptors } = call;
    void client.reply(call, { signature, body, descriptors }).finally(() => {
      for (const descriptor of descriptors) descriptor.close();
    });
    return true;
  };
}
