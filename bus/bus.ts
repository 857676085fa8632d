/** A message bus: its connections, its names and its driver put together around one router. */

import type { MatchRule } from "../matchrules/rule.ts";
import { SubscriptionIndex } from "../matchrules/subscription-index.ts";
import type { RoutingCounters } from "../routing/counters.ts";
import { Directory } from "../routing/directory.ts";
import { Endpoint } from "../routing/endpoint.ts";
import { nowhere } from "../routing/gateway.ts";
import type { NameAuthority } from "../routing/name-authority.ts";
import { Undelivered } from "../routing/outcome.ts";
import type { PendingReply } from "../routing/replies.ts";
import { type Meaning, Router } from "../routing/router.ts";
import {
  Connection,
  type ConnectionOptions,
  type ConnectionOwner,
  type FindCookie,
  type NativeLink,
} from "../transport/connection.ts";
import type { Credentials } from "../transport/credentials.ts";
import { newGuid } from "../transport/guid.ts";
import { Keyring } from "../transport/keyring.ts";
import { inOrder } from "../transport/mechanism.ts";
import {
  type MemoryEnd,
  type MemorySnapshot,
  MemoryTransport,
} from "../transport/memory-transport.ts";
import { Stage } from "../transport/stage.ts";
import { DBusErrorName } from "../wire/error-names.ts";
import type { Header } from "../wire/header.ts";
import { Strings } from "../wire/intern.ts";
import { Memory } from "../wire/memory.ts";
import { DRIVER_NAME, MessageFlag } from "../wire/protocol.ts";
import { writeSenderField } from "../wire/stitch.ts";
import { Activation } from "./activation/activation.ts";
import { ActivationEnvironment } from "./activation-environment.ts";
import { activationHost } from "./activation-host.ts";
import { MAX_CONNECTIONS } from "./admission.ts";
import type { DriverContext } from "./driver/call.ts";
import { Driver } from "./driver/driver.ts";
import { Outgoing } from "./driver/outgoing.ts";
import { type Limits, LimitsInForce } from "./limits.ts";
import { type Log, silent } from "./log.ts";
import { NameRegistry } from "./names.ts";
import type { BusOptions } from "./options.ts";
import { OwnerChanges } from "./owner-changes.ts";
import { Policing } from "./policing.ts";
import type { Policy } from "./policy/policy.ts";
import { type BusSnapshot, restoreBus, snapshotBus } from "./snapshot.ts";
import { Statistics } from "./statistics.ts";
import { Steward } from "./steward.ts";
import { Resource } from "./user.ts";

const { NoReply: NO_REPLY } = DBusErrorName;

/** A new bus that only its own process can reach, by `connect`. */
export function createBus(options: BusOptions = {}): Bus {
  return new Bus(options, null);
}

export class Bus {
  readonly guid: string;
  /** Those that count now. */
  readonly limits: Limits;
  readonly strings: Strings = new Strings();
  readonly stage: Stage = new Stage(MAX_CONNECTIONS);
  readonly directory: Directory;
  readonly subscriptions: SubscriptionIndex;
  readonly names: NameRegistry;
  readonly router: Router;
  readonly log: Log;
  /** What started services are told about where the bus listens; null if only this process can reach it. */
  address: string | null = null;
  /** Called after a reload, for what has limits of its own; the transport sets it. */
  limitsChanged: (limits: Limits) => void = () => {};
  /** Called when `isAdmitting` may be another; whoever listens sets it. */
  admissionChanged: () => void = () => {};
  readonly #limits: LimitsInForce;
  readonly #limitsNow: () => Partial<Limits>;
  readonly #activation: Activation;
  readonly #reloadOptions: () => string | null;
  readonly #driver: Driver;
  readonly #driverId: number;
  readonly #outgoing: Outgoing;
  readonly #ownerChanges: OwnerChanges;
  readonly #owner: ConnectionOwner;
  /** Of connections to come: as in dbus-daemon, who is connected keeps the size that counted then. */
  #connectionOptions: ConnectionOptions;
  readonly #allowsAnonymous: () => boolean;
  readonly #steward: Steward;
  readonly #environment: ActivationEnvironment;
  readonly #statistics: Statistics;
  readonly #memoryTransports: Map<Endpoint, MemoryTransport> = new Map();
  readonly #policing: Policing;
  #isClosing = false;

  /** Use `createBus` or `startBus`. */
  constructor(options: BusOptions, record: BusSnapshot | null) {
    this.guid = record?.guid ?? options.guid ?? newGuid();
    this.#limitsNow = () =>
      typeof options.limits === "function" ? options.limits() : (options.limits ?? {});
    this.#limits = new LimitsInForce(this.#limitsNow());
    this.limits = this.#limits.values;
    this.log = options.log ?? silent;
    this.#steward = new Steward(this.limits, this.stage, this.log, {
      replies: () => this.router.replies,
      replyIsLate: (pending) => this.#replyIsLate(pending),
      endTurn: () => this.#endTurn(),
      admissionChanged: () => this.admissionChanged(),
    });
    this.#allowsAnonymous = options.allowsAnonymous ?? (() => false);
    this.directory = new Directory(this.strings);
    this.subscriptions = new SubscriptionIndex(this.strings);
    this.names = new NameRegistry(record?.uniqueNameCount ?? 0);
    this.#driverId = this.strings.hold(DRIVER_NAME);
    this.#reloadOptions = options.reload ?? (() => null);
    this.#activation = new Activation(
      options.activation ?? { directories: () => [] },
      options.gateway ?? nowhere,
      activationHost(this, options, {
        outgoing: () => this.#outgoing,
        environment: () => this.#environment,
        policing: () => this.#policing,
        accounting: () => this.#steward.accounting,
        servicesChanged: () => {
          this.#announceServices();
          this.#endTurn();
        },
      }),
    );
    this.router = new Router(
      this.strings,
      this.stage,
      this.directory,
      this.subscriptions,
      this.#activation,
      this.#limits.routing,
      this.#steward.accounting,
      this.#meaning(),
      record?.sequence ?? 0,
    );
    this.#outgoing = new Outgoing(
      this.strings,
      this.stage,
      this.router,
      record?.broadcastSerial ?? 0,
    );
    this.#environment = new ActivationEnvironment(
      this.directory,
      this.#outgoing,
      options.systemdActivation === true,
    );
    this.#statistics = new Statistics(
      this.subscriptions,
      this.names,
      this.router,
      this.stage,
      () => this.connectionCount,
      () => this.#steward.handshakeCount,
    );
    this.#policing = new Policing(this, options);
    this.#ownerChanges = new OwnerChanges({
      directory: this.directory,
      names: this.names,
      router: this.router,
      strings: this.strings,
      accounting: this.#steward.accounting,
      activation: this.#activation,
      environment: this.#environment,
      outgoing: this.#outgoing,
      policing: this.#policing,
      statistics: this.#statistics,
      isHeard: () => this.#isHeard(),
    });
    this.#driver = new Driver(this.strings, this.#driverContext(options));
    this.#owner = this.#connectionOwner();
    this.#connectionOptions = {
      guid: this.guid,
      mechanisms: inOrder(options.authentication ?? ["EXTERNAL"]),
      findCookie: this.#cookieFinder(options),
      maxMessageBytes: this.limits.maxMessageSize,
    };
    this.#steward.begin();
  }

  /**
   * A connection inside this process, before its handshake. `credentials` is who the peer is said to be, as if the kernel
   * had told it: by default this process.
   */
  connect(credentials: Partial<Credentials> = {}): MemoryEnd {
    return this.#connectMemory({ ...ownCredentials(), ...credentials }, null);
  }

  /** Judges everybody by `policy` from now on, those who are connected included; nobody is disconnected by it. */
  usePolicy(policy: Policy): void {
    this.#policing.use(policy);
  }

  /** How many different sets of rules hold for the peers; 0 if nothing is asked about messages. */
  get policySnapshotCount(): number {
    return this.#policing.snapshotCount;
  }

  /** Counters since the bus began. */
  get counters(): Readonly<RoutingCounters> {
    return this.router.counters;
  }

  /** The variables that peers have set by UpdateActivationEnvironment for processes to be started. */
  get activationEnvironment(): ReadonlyMap<string, string> {
    return this.#environment.variables;
  }

  /** May connections be accepted now, or do too many take their time for the handshake? */
  get isAdmitting(): boolean {
    return this.#steward.admission.isOpen;
  }

  /** How many peers are connected, registered or not. */
  get connectionCount(): number {
    return this.#steward.admission.count;
  }

  /**
   * Everything that a bus whose peers are all in this process needs to go on elsewhere: peers with
   * partial input, unsent output and serials, names and queues, rules, calls waiting for replies.
   */
  snapshot(): BusSnapshot {
    const transportOf = (endpoint: Endpoint): MemoryTransport | null =>
      this.#memoryTransports.get(endpoint) ?? null;
    return snapshotBus(this, this.#outgoing.broadcastSerial, this.#environment, transportOf);
  }

  /** Goes on where a snapshot was taken: a new bus, and the peers' new ends by their unique names. */
  static restore(
    record: BusSnapshot,
    options: BusOptions = {},
  ): { bus: Bus; ends: ReadonlyMap<string, MemoryEnd> } {
    const bus = new Bus(options, record);
    const ends = restoreBus(bus, record, (peer, credentials, state) => {
      const end = bus.#connectMemory(credentials, { index: peer.index, state });
      const endpoint = bus.directory.at(peer.index);
      if (endpoint === null) throw new Error(`peer ${peer.index} was not restored`);
      if (peer.uniqueName !== "") {
        if (peer.monitorRules === null) bus.#register(endpoint, peer.uniqueName);
        bus.#steward.registered(endpoint);
      }
      return { end, endpoint };
    });
    bus.#environment.restore(record.environment);
    for (const endpoint of bus.directory.endpoints()) {
      bus.#statistics.noteRulesOf(endpoint);
      bus.#statistics.noteNamesOf(endpoint);
      const rules = bus.subscriptions.ruleCountOf(endpoint.index);
      bus.#steward.accounting.settle(endpoint, Resource.MatchRules, rules);
      bus.#steward.accounting.settle(endpoint, Resource.Names, bus.names.countOf(endpoint));
    }
    // What was being looked for, or started, is so again.
    for (const { peer, message } of record.waiting) {
      const sender = bus.directory.at(peer);
      if (sender !== null) bus.router.route(sender, Memory.of(message), 0, message.length);
    }
    bus.#endTurn();
    return { bus, ends };
  }

  /** What transports report to. */
  get owner(): ConnectionOwner {
    return this.#owner;
  }

  /**
   * Admits a connection that a listener accepted, or says in the log why not and returns null.
   * `slot` and `link` are the addon's; a stream has neither, and gets its outlet afterwards.
   */
  admit(
    credentials: Credentials,
    slot: number,
    link: NativeLink | null,
    origin: string,
  ): Connection | null {
    if (!this.#steward.admits(credentials, origin)) return null;
    return this.#enter(this.#steward.admission.takeIndex(), credentials, slot, link, origin);
  }

  /** Reads again what the options say can change: what ReloadConfig does. Returns an error text, or null. */
  reload(): string | null {
    const failure = this.#reload();
    this.#endTurn();
    return failure;
  }

  #reload(): string | null {
    const failure = this.#reloadOptions();
    if (failure === null) {
      this.#limits.replace(this.#limitsNow());
      const maxMessageBytes = this.limits.maxMessageSize;
      this.#connectionOptions = { ...this.#connectionOptions, maxMessageBytes };
      this.#steward.limitsChanged();
      this.limitsChanged(this.limits);
      this.#activation.reload();
      this.#policing.reload();
    }
    // As in dbus-daemon, whatever has become of it.
    this.#announceServices();
    return failure;
  }

  /** Disconnects everybody. Services that were started go on, if they want to. */
  close(): void {
    this.#isClosing = true;
    this.#activation.stop();
    for (const endpoint of [...this.directory.endpoints()]) {
      endpoint.connection.close("the bus is shutting down");
    }
    this.#steward.stop();
    this.stage.flush();
  }

  #enter(
    index: number,
    credentials: Credentials,
    slot: number,
    link: NativeLink | null,
    origin: string,
  ): Connection {
    const connection = new Connection(
      index,
      credentials,
      slot,
      link,
      origin,
      this.#owner,
      this.#connectionOptions,
    );
    const payer = this.#steward.accounting.supplies.userOf(credentials.userId);
    const endpoint = new Endpoint(connection, payer);
    this.directory.enter(endpoint);
    this.#steward.entered(endpoint);
    return connection;
  }

  #connectMemory(
    credentials: Credentials,
    restored: { index: number; state: MemorySnapshot } | null,
  ): MemoryEnd {
    const index = restored?.index ?? this.#steward.admission.takeIndex();
    this.#steward.admission.reserveIndex(index);
    const connection = this.#enter(index, credentials, -1, null, "in process");
    const state = restored?.state ?? null;
    const transport = new MemoryTransport(connection, this.stage, this.#owner, state);
    const endpoint = this.directory.at(index);
    if (endpoint !== null) this.#memoryTransports.set(endpoint, transport);
    return transport.end;
  }

  /** Sends what something that came between two messages has led to. */
  #endTurn(): void {
    this.#owner.turnEnded();
    this.stage.flush();
  }

  #announceServices(): void {
    if (!this.#isHeard()) return;
    this.#outgoing.broadcast("ActivatableServicesChanged", "", []);
  }

  /** Is there anybody who may want to see a broadcast? */
  #isHeard(): boolean {
    return this.subscriptions.ruleCount > 0 || this.router.monitors.isActive;
  }

  #connectionOwner(): ConnectionOwner {
    return {
      authenticated: (connection) => {
        const refusal = this.#refusalOf(connection);
        if (refusal !== null) connection.close(refusal);
      },
      message: (connection, memory, offset, byteLength) => {
        const sender = this.directory.at(connection.index);
        if (sender !== null) this.router.route(sender, memory, offset, byteLength);
      },
      descriptorsWait: (connection, count, before) =>
        this.#steward.descriptorsWait(connection, count, before),
      messagesDropped: (connection, count) => {
        const endpoint = this.directory.at(connection.index);
        if (endpoint !== null) this.#steward.messagesDropped(endpoint, count);
      },
      closed: (connection, reason, isHangUp) => this.#closed(connection, reason, isHangUp),
      turnEnded: () => {
        this.router.endTurn();
        this.#steward.admission.turnEnded();
      },
    };
  }

  /** Why somebody who has authenticated may not use the bus, or null. */
  #refusalOf(connection: Connection): string | null {
    const { userId } = connection.credentials;
    const endpoint = this.directory.at(connection.index);
    if (endpoint !== null) this.#steward.recognized(endpoint);
    if (userId === null) {
      return this.#allowsAnonymous() ? null : "nobody may connect to this bus without being known";
    }
    const objection = this.#policing.objectionToUser(userId, connection);
    if (objection === null) return null;
    const refusal = `user ${userId} may not connect to this bus`;
    return objection === "" ? refusal : `${refusal}: ${objection}`;
  }

  #cookieFinder(options: BusOptions): FindCookie {
    const log = (text: string): void => this.log({ level: "warning", text, fields: {} });
    const keyring = options.keyring ?? new Keyring({ log });
    return (request, found) =>
      keyring.find(request, (cookie) => {
        found(cookie);
        this.#endTurn();
      });
  }

  #meaning(): Meaning {
    return {
      driverId: this.#driverId,
      unregistered: (sender, header) => this.#unregistered(sender, header),
      toDriver: (sender, header) => this.#driver.receive(sender, header),
      toNobody: (sender, header) => this.#driver.receiveLocal(sender, header),
      undelivered: (sender, header, why) => this.#undelivered(sender, header, why),
      notFound: (sender, header, why) => this.#driver.notFound(sender, header, why),
      withheld: (sender, header, receiver) => this.#driver.withheld(sender, header, receiver),
      denied: (sender, header, receiver) => {
        const text = this.#policing.objectionToCopy(sender, receiver, header);
        this.#driver.denied(sender, header, text);
      },
      untold: (serial) => this.#driver.untold(serial, this.#policing.objection),
      shareSpent: (sender, receiver) => this.#steward.shareSpent(sender, receiver),
      replyLost: (sender, header, caller) => this.#driver.replyLost(sender, header, caller),
      disconnect: (receiver, reason) => receiver.connection.close(reason),
    };
  }

  #driverContext(options: BusOptions): DriverContext {
    const authority: NameAuthority = options.nameAuthority?.(this.names) ?? this.names;
    return {
      guid: this.guid,
      limits: this.limits,
      directory: this.directory,
      names: this.names,
      authority,
      subscriptions: this.subscriptions,
      outgoing: this.#outgoing,
      environment: this.#environment,
      statistics: this.#statistics,
      log: this.log,
      systemdActivation: options.systemdActivation === true,
      activation: this.#activation,
      hold: (name, sender) => this.router.hold(name, sender),
      reload: () => this.#reload(),
      policing: this.#policing,
      register: (endpoint, uniqueName) => {
        this.#register(endpoint, uniqueName);
      },
      refusalOfHello: (endpoint) => this.#steward.refusalOfHello(endpoint),
      accounting: this.#steward.accounting,
      ownerChanged: (name, oldOwner, newOwner) =>
        this.#ownerChanges.apply(name, oldOwner, newOwner),
      answeredLater: () => this.#endTurn(),
      becomeMonitor: (endpoint, rules) => this.#becomeMonitor(endpoint, rules),
      showUnregistered: (sender) => this.router.showUnregistered(sender),
      showWhenRegistered: (sender) => this.router.showWhenRegistered(sender),
    };
  }

  /** Was it Hello, and has it succeeded? */
  #unregistered(sender: Endpoint, header: Header): boolean {
    if (sender.isMonitor) {
      sender.connection.close("it is a monitor, and monitors may not send messages");
      return false;
    }
    const isForDriver = header.destination === this.#driverId;
    if (!this.#driver.receiveUnregistered(sender, header, isForDriver)) {
      sender.connection.close("it sent a message before Hello");
    }
    return sender.isRegistered;
  }

  #undelivered(sender: Endpoint, header: Header, why: Undelivered): void {
    const receiver = this.directory.find(header.destination);
    const isTold = (header.flags & MessageFlag.NoReplyExpected) === 0;
    if (
      why === Undelivered.ReceiverFull &&
      !isTold &&
      receiver !== null &&
      !receiver.isReportedFull
    ) {
      receiver.isReportedFull = true;
      this.log({
        level: "warning",
        text: `${receiver.description} does not read: messages for it are refused while ${this.limits.maxOutgoingBytes} bytes wait`,
        fields: { peer: receiver.uniqueName, sender: sender.uniqueName },
      });
    }
    this.#driver.undelivered(sender, header, why, receiver);
  }

  #register(endpoint: Endpoint, uniqueName: string): void {
    const { stage } = this;
    endpoint.uniqueName = uniqueName;
    endpoint.uniqueId = this.directory.assign(uniqueName, endpoint);
    for (const isLittleEndian of [true, false]) {
      const offset = stage.senderOffset(endpoint.index, isLittleEndian);
      endpoint.senderFieldLength = writeSenderField(
        stage.arena,
        offset,
        uniqueName,
        isLittleEndian,
      );
    }
    this.#steward.registered(endpoint);
    this.#statistics.noteRegistered(endpoint);
    this.#policing.registered(endpoint);
  }

  #replyIsLate({ caller, serial }: PendingReply): void {
    const endpoint = this.directory.at(caller);
    if (endpoint === null || endpoint.connection.isClosed) return;
    const text = "Message did not receive a reply (timeout by message bus)";
    this.#outgoing.error(endpoint, serial, NO_REPLY, text);
  }

  /** The order of signals is dbus-daemon's: the unique name first, the others as they were asked for. */
  #becomeMonitor(endpoint: Endpoint, rules: readonly MatchRule[]): void {
    const { processId, userId } = endpoint.connection.credentials;
    this.log({
      level: "info",
      text: `${endpoint.description} became a monitor`,
      fields: { peer: endpoint.uniqueName, pid: processId ?? -1, uid: userId ?? -1 },
    });
    this.#ownerChanges.apply(endpoint.uniqueName, endpoint, null);
    endpoint.uniqueId = 0;
    endpoint.isMonitor = true;
    for (const change of this.names.releaseAll(endpoint).reverse()) {
      this.#ownerChanges.apply(change.name, change.oldOwner, change.newOwner);
    }
    this.subscriptions.removeSubscriber(endpoint.index);
    this.router.monitors.add(endpoint, rules);
    this.#steward.accounting.settle(endpoint, Resource.MatchRules, 0);
    this.#statistics.noteRulesOf(endpoint);
    this.#failCallersOf(endpoint);
    this.router.forget(endpoint);
  }

  #failCallersOf(endpoint: Endpoint): void {
    for (const pending of this.router.replies.takeCallee(endpoint.index)) {
      const caller = this.directory.at(pending.caller);
      if (caller === null || caller.connection.isClosed) continue;
      this.#outgoing.error(
        caller,
        pending.serial,
        NO_REPLY,
        "Message recipient disconnected from message bus without replying",
      );
    }
  }

  #closed(connection: Connection, reason: string, isHangUp: boolean): void {
    const endpoint = this.directory.at(connection.index);
    if (endpoint === null) return;
    if (!isHangUp && !this.#isClosing) {
      this.log({
        level: "warning",
        text: `disconnected ${endpoint.description}: ${reason}`,
        fields: {
          peer: endpoint.uniqueName,
          pid: connection.credentials.processId ?? -1,
          uid: connection.credentials.userId ?? -1,
        },
      });
    }
    this.#memoryTransports.delete(endpoint);
    this.router.monitors.remove(endpoint);
    this.subscriptions.removeSubscriber(endpoint.index);
    for (const change of this.names.releaseAll(endpoint)) {
      this.#ownerChanges.apply(change.name, change.oldOwner, change.newOwner);
    }
    if (endpoint.isRegistered) this.#ownerChanges.apply(endpoint.uniqueName, endpoint, null);
    this.#failCallersOf(endpoint);
    this.router.forget(endpoint);
    this.#policing.forget(endpoint);
    this.directory.leave(endpoint);
    this.#steward.left(endpoint);
  }
}

/** In-process peers are this process. */
function ownCredentials(): Credentials {
  return {
    processId: process.pid,
    userId: process.geteuid?.() ?? null,
    groupId: process.getegid?.() ?? null,
    groups: process.getgroups?.() ?? null,
    securityLabel: null,
    processDescriptor: null,
  };
}
