/** A case of the suite: a sentence, the section of the specification it comes from, and what a bus must do. */

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Arrival, Client, type ClientOptions, patience } from "./client.ts";
import {
  type BusKind,
  type BusOptions,
  busKind,
  missingProgram,
  type RunningBus,
  startBus,
} from "./daemons.ts";
import { type Identity, openPeer, openSocket } from "./link.ts";

export interface CaseOptions {
  /** The specification's section, or "dbus-daemon" where the specification is silent. */
  readonly spec: string;
  /** The buses that differ, each with the reason. They must differ: an excuse that is no longer true fails. */
  readonly excused?: Partial<Record<BusKind, string>>;
  /** The buses on which the case cannot even be tried, each with the reason. */
  readonly withheld?: Partial<Record<BusKind, string>>;
}

/** What a case gets: the bus, and clients that are closed when it ends. */
export class Scene {
  readonly kind: BusKind;
  readonly address: string;
  readonly processId: number | null;
  readonly #observer: Client;
  readonly #clients: Client[] = [];

  constructor(bus: RunningBus, observer: Client) {
    this.kind = bus.kind;
    this.address = bus.address;
    this.processId = bus.processId;
    this.#observer = observer;
  }

  /** A client on a socket of this process. */
  async client(options: ClientOptions = {}): Promise<Client> {
    return this.clientAt(this.address, options);
  }

  /** The same at another address that leads to the bus. */
  async clientAt(address: string, options: ClientOptions = {}): Promise<Client> {
    return this.#newClient().open((events) => openSocket(address, events), options);
  }

  /** A client that can pass descriptors, in a process of its own. */
  async peer(options: ClientOptions = {}, identity: Identity | null = null): Promise<Client> {
    return this.#newClient().open((events) => openPeer(this.address, events, identity), options);
  }

  /** Closes `client` and waits until the bus has noticed. */
  async leave(client: Client): Promise<void> {
    client.close();
    await this.gone(client.uniqueName);
  }

  /** Waits until the bus says that the unique name is gone. */
  async gone(uniqueName: string): Promise<void> {
    await this.#observer.first(
      ({ member, arguments: [name, , newOwner] }) =>
        member === "NameOwnerChanged" && name === uniqueName && newOwner === "",
      `the end of ${uniqueName}`,
    );
  }

  /** Closes everything; the bus must still serve somebody who was there all along. */
  async end(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#observer.drain();
  }

  /** Remembered before it is opened, so that one that fails to open is closed too. */
  #newClient(): Client {
    const client = new Client();
    this.#clients.push(client);
    return client;
  }
}

/** Long enough for a bus to do what an excuse says that it does not. */
const EXCUSED_MS = 3000;

let bus: RunningBus | null = null;
let observer: Client | null = null;
/** With CONFORMANCE_STOP=1 one failure in a file is enough: what comes after it is not tried. */
let hasFailed = false;

/** Starts one bus for the cases of a test file. */
export function useBus(options: BusOptions = {}): void {
  beforeAll(async () => {
    if (skipReason() !== null) return;
    bus = await startBus(options);
    const { address } = bus;
    const { uid, listen } = options;
    const isAnonymous = listen !== undefined && busKind !== "dbus-broker";
    // A session bus lets in nobody but its own user, not even root.
    observer = await new Client().open(
      (events) =>
        uid === undefined
          ? openSocket(address, events)
          : openPeer(address, events, { uid, gid: uid, groups: [] }),
      { isAnonymous },
    );
    await observer.addMatch("type='signal',member='NameOwnerChanged'");
  }, 20_000);
  afterAll(async () => {
    observer?.close();
    await bus?.stop();
  });
}

/** Declares a case. */
export function conformance(
  sentence: string,
  options: CaseOptions,
  body: (scene: Scene) => Promise<void>,
): void {
  const withheld = options.withheld?.[busKind];
  if (withheld !== undefined) {
    test(`${sentence} [withheld: ${withheld}] (${options.spec})`, () => {});
    return;
  }
  const excuse = options.excused?.[busKind] ?? null;
  const title = excuse === null ? sentence : `${sentence} [excused: ${excuse}]`;
  test(`${title} (${options.spec})`, async () => {
    const reason = skipReason();
    if (reason !== null) return notRun(reason);
    if (bus === null || observer === null) throw new Error("useBus() was not called");
    if (hasFailed && process.env["CONFORMANCE_STOP"] === "1") return;
    const scene = new Scene(bus, observer);
    hasFailed = true;
    try {
      if (excuse === null) await body(scene);
      else await mustDiffer(() => body(scene));
    } finally {
      await scene.end();
    }
    hasFailed = false;
  }, 30_000);
}

/** Why nothing can run here, or null; with ONEHOP_REQUIRE_PEERS=1 that is a failure. */
function skipReason(): string | null {
  return missingProgram();
}

export function notRun(reason: string): void {
  if (process.env["ONEHOP_REQUIRE_PEERS"] === "1") throw new Error(reason);
  process.stdout.write(`not run: ${expect.getState().currentTestName}: ${reason}\n`);
}

async function mustDiffer(body: () => Promise<void>): Promise<void> {
  const usual = patience.ms;
  patience.ms = EXCUSED_MS;
  const differs = await body().then(
    () => false,
    (difference: Error) => {
      if (process.env["CONFORMANCE_VERBOSE"]) process.stdout.write(`${difference.message}\n`);
      return true;
    },
  );
  patience.ms = usual;
  if (!differs) throw new Error("this bus does what the case says: the excuse is no longer true");
}

/** The error's name, and a text that begins with dbus-daemon's; dbus-broker words every error in its own way. */
export function expectError(reply: Arrival, name: string, text = ""): void {
  expect({ type: reply.type, errorName: reply.errorName }).toEqual({
    type: 3,
    errorName: `org.freedesktop.DBus.Error.${name}`,
  });
  if (busKind === "dbus-broker") return;
  expect(String(reply.arguments[0]).slice(0, text.length)).toBe(text);
}
