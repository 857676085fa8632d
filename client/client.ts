/** A client of a bus: calls, signals, match rules, names; what other programs call is answered. */

import type { ByteStream } from "../transport/byte-stream.ts";
import type { ConnectedStream } from "../transport/connect.ts";
import type { ClientHandshake } from "../transport/connection.ts";
import type { FileDescriptor } from "../transport/file-descriptor.ts";
import type { Header } from "../wire/header.ts";
import { errorReply, type Message, methodReturn } from "../wire/message.ts";
import { isUniqueName } from "../wire/names.ts";
import {
  DRIVER_NAME,
  DRIVER_PATH,
  MessageFlag,
  MessageType,
  ReleaseNameReply,
  RequestNameFlag,
  RequestNameReply,
} from "../wire/protocol.ts";
import { NATURAL_VALUES, type ReadOptions } from "../wire/read-options.ts";
import { closeAll } from "./descriptors.ts";
import { type DBusError, errorOf, errorOfReply, type Failure } from "./errors.ts";
import { Link } from "./link.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";
import {
  type Content,
  callMessage,
  contentsOf,
  type MethodCall,
  type Signal,
  signalMessage,
} from "./outgoing.ts";
import {
  abortion,
  type CallOptions,
  DEFAULT_TIMEOUT_MS,
  type Outcome,
  PendingCalls,
} from "./pending-calls.ts";
import { copiedMessage, type ReceivedMessage, receivedMessage } from "./received-message.ts";
import { SignalStream, type SignalStreamOptions } from "./signal-stream.ts";
import {
  type RuleInput,
  ruleOf,
  type SignalListener,
  type Subscription,
  Subscriptions,
} from "./subscriptions.ts";
import { answerUnserved } from "./unserved-calls.ts";
import type { Wires } from "./wires.ts";

const MONITORING_INTERFACE = "org.freedesktop.DBus.Monitoring";

/**
 * Takes a method call, or leaves it by returning false; then Peer is answered and everything else refused. Who
 * takes a call owns its descriptors and answers it with `reply` or `replyError`, now or later.
 */
export type CallListener = (call: ReceivedMessage) => boolean;

export interface ClientOptions {
  /** Milliseconds until a call without `timeoutMs` of its own fails; default 25 000, as in libdbus. */
  readonly timeoutMs?: number;
  /** See {@link Client.onCall}. */
  readonly onCall?: CallListener;
  /** The form of `ReceivedMessage.values`; default `NATURAL_VALUES`. What is left out is as in `unmarshal`. */
  readonly values?: ReadOptions;
}

export interface RequestNameOptions {
  /** May another connection that replaces us take the name? Default false. */
  readonly allowReplacement?: boolean;
  /** Take the name from an owner that allows it? Default false. */
  readonly replaceExisting?: boolean;
  /** Wait in the queue if the name has an owner? Default false (the protocol's own default is true). */
  readonly mayQueue?: boolean;
}

/** Use `connect`, `sessionBus` or `systemBus`. */
export class Client {
  /** Is asked first about every method call that comes. */
  onCall: CallListener | null;
  readonly #wires: Wires;
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #values: ReadOptions;
  readonly #pending: PendingCalls = new PendingCalls();
  readonly #subscriptions: Subscriptions;
  readonly #names: Set<string> = new Set();
  #uniqueName = "";
  #monitor: Monitor | null = null;
  #end: Failure | null = null;
  readonly #closed: Promise<DBusError | null>;
  #resolveClosed: (error: DBusError | null) => void = () => {};

  private constructor(
    wires: Wires,
    stream: ConnectedStream | ByteStream,
    authentication: ClientHandshake,
    origin: string,
    options: ClientOptions,
  ) {
    this.#wires = wires;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#values = options.values ?? NATURAL_VALUES;
    this.onCall = options.onCall ?? null;
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#subscriptions = new Subscriptions(wires.strings, (member, body, onReply) =>
      this.#callDriver(member, "s", body, onReply),
    );
    this.#link = new Link(wires, stream, authentication, origin, {
      received: (header, byteLength, descriptors) =>
        this.#received(header, byteLength, descriptors),
      closed: (reason) => this.#linkClosed(reason),
    });
  }

  /**
   * For `connect`: authenticates on a new stream and says Hello. Owns the stream even if it fails.
   *
   * @throws DBusError whose text says what went wrong
   */
  static async join(
    wires: Wires,
    stream: ConnectedStream | ByteStream,
    authentication: ClientHandshake,
    origin: string,
    options: ClientOptions & Pick<CallOptions, "signal">,
  ): Promise<Client> {
    const client = new Client(wires, stream, authentication, origin, options);
    try {
      const hello = await client.call(
        {
          destination: DRIVER_NAME,
          path: DRIVER_PATH,
          interface: DRIVER_NAME,
          member: "Hello",
        },
        options.signal === undefined ? {} : { signal: options.signal },
      );
      client.#uniqueName = uniqueNameIn(hello);
      return client;
    } catch (error) {
      client.#link.close("it did not get as far as Hello");
      throw error;
    }
  }

  /** The name that the bus gave this connection, such as `:1.42`. */
  get uniqueName(): string {
    return this.#uniqueName;
  }

  /** The bus's GUID: 32 hexadecimal digits. */
  get guid(): string {
    return this.#link.guid;
  }

  /** Can descriptors be sent and received? Needs the addon, a Unix socket and a bus that agrees. */
  get passesDescriptors(): boolean {
    return this.#link.passesDescriptors;
  }

  get isClosed(): boolean {
    return this.#end !== null;
  }

  /** Resolves when the connection is no more: with why, or with null if `close` ended it. Never rejects. */
  get closed(): Promise<DBusError | null> {
    return this.#closed;
  }

  /** Bytes of messages that wait to leave this process. */
  get queuedBytes(): number {
    return this.#link.queuedBytes;
  }

  /** Calls that wait for a reply. */
  get pendingCallCount(): number {
    return this.#pending.size;
  }

  /** Match rules that this client has at the bus, each counted once. */
  get matchRuleCount(): number {
    return this.#subscriptions.ruleCount;
  }

  /**
   * Calls a method and returns its reply, whose descriptors are the caller's.
   *
   * @throws DBusError for an error reply, a deadline, an abort and a connection that is gone; TypeError or
   *   ValueError, before anything is sent, for arguments that do not fit
   */
  async call(call: MethodCall, options: CallOptions = {}): Promise<ReceivedMessage> {
    // What is thrown behind an await in here has the caller on its stack.
    const outcome = await this.#outcomeOf(call, options, null);
    if (outcome.failure !== null) throw errorOf(outcome.failure, failedCall(call));
    const { reply } = outcome;
    if (reply.type === MessageType.MethodReturn) return reply;
    closeAll(reply.descriptors);
    throw errorOfReply(reply, failedCall(call));
  }

  /** Calls a method that is not to reply. Resolves when there is room to send more. */
  async callWithoutReply(call: MethodCall): Promise<void> {
    await this.send(callMessage(call, MessageFlag.NoReplyExpected), call.descriptors);
  }

  /** Sends a signal. Resolves when there is room to send more. @throws as `send` */
  async emit(signal: Signal): Promise<void> {
    await this.send(signalMessage(signal), signal.descriptors);
  }

  /** Answers a call that `onCall` took. Resolves when there is room to send more. @throws as `send` */
  async reply(call: ReceivedMessage, content: Content = {}): Promise<void> {
    if (!expectsReply(call)) return;
    await this.send(methodReturn(call, contentsOf(content)), content.descriptors);
  }

  /** Refuses a call that `onCall` took. @throws as `send` */
  async replyError(call: ReceivedMessage, errorName: string, text: string): Promise<void> {
    if (expectsReply(call)) await this.send(errorReply(call, errorName, text));
  }

  /**
   * Sends any message: at the next microtask, behind all that was sent before. The promise resolves when there
   * is room for more, which is at once unless a mebibyte is waiting to leave: await it before sending more. It
   * does not say that anybody got the message.
   *
   * @throws DBusError if the connection is gone, or cannot pass descriptors; ValueError for wrong arguments
   */
  async send(message: Message, descriptors: readonly FileDescriptor[] = []): Promise<void> {
    const refusal = this.#refusal(descriptors);
    if (refusal !== null) throw errorOf(refusal, null);
    this.#link.send(message, descriptors);
    await this.#link.room();
  }

  /**
   * Listens to the messages that match a rule. Resolves when the rule is in place at the bus. Equal rules are
   * added there once. Dispose of the subscription to end it.
   *
   * @throws TypeError if the rule is wrong; DBusError if the bus refuses it or is gone
   */
  async addMatch(rule: RuleInput, listener: SignalListener): Promise<Subscription> {
    return this.#subscriptions.add(rule, listener);
  }

  /** As `addMatch`, with the messages to be iterated over: `for await (const signal of await client.signals(…))`. */
  async signals(rule: RuleInput, options: SignalStreamOptions = {}): Promise<SignalStream> {
    return SignalStream.open(this.#subscriptions, rule, options);
  }

  /** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-request-name */
  async requestName(name: string, options: RequestNameOptions = {}): Promise<RequestNameReply> {
    const { allowReplacement = false, replaceExisting = false, mayQueue = false } = options;
    const flags =
      (allowReplacement ? RequestNameFlag.AllowReplacement : 0) |
      (replaceExisting ? RequestNameFlag.ReplaceExisting : 0) |
      (mayQueue ? 0 : RequestNameFlag.DoNotQueue);
    const reply = await this.#callDriver("RequestName", "su", [name, flags]);
    // A number that the specification names.
    const outcome = reply.body[0] as RequestNameReply;
    if (outcome !== RequestNameReply.Exists) this.#names.add(name);
    return outcome;
  }

  /** https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-release-name */
  async releaseName(name: string): Promise<ReleaseNameReply> {
    const reply = await this.#callDriver("ReleaseName", "s", [name]);
    // A number that the specification names.
    const outcome = reply.body[0] as ReleaseNameReply;
    if (outcome === ReleaseNameReply.Released) this.#names.delete(name);
    return outcome;
  }

  /**
   * Makes this connection a monitor: it gets every message that matches one of the rules (none: all), and can
   * send nothing more. https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-become-monitor
   *
   * @throws DBusError if the bus does not allow it or does not know monitors; TypeError for a wrong rule
   */
  async becomeMonitor(
    rules: readonly string[] = [],
    options: MonitorOptions = {},
  ): Promise<Monitor> {
    for (const rule of rules) ruleOf(rule);
    const connection = {
      pause: () => this.#link.pause(),
      resume: () => this.#link.resume(),
      close: () => this.close(),
    };
    const monitor = new Monitor(connection, options);
    const call = {
      destination: DRIVER_NAME,
      path: DRIVER_PATH,
      interface: MONITORING_INTERFACE,
      member: "BecomeMonitor",
      signature: "asu",
      body: [rules, 0],
    };
    const outcome = await this.#outcomeOf(call, {}, (reply) => {
      if (reply.type === MessageType.MethodReturn) this.#monitor = monitor;
    });
    if (outcome.failure !== null) throw errorOf(outcome.failure, failedCall(call));
    if (this.#monitor === null) throw errorOfReply(outcome.reply, failedCall(call));
    return monitor;
  }

  /**
   * Ends the connection when all that was sent has left, for which it waits as long as for a call. Calls that
   * wait for replies fail with ONEHOP_CLOSED.
   */
  async close(): Promise<void> {
    if (this.#end !== null) {
      await this.#closed;
      return;
    }
    const failure: Failure = { code: "ONEHOP_CLOSED", text: "the client was closed" };
    this.#ended(failure);
    await this.#link.flushed(this.#timeoutMs);
    this.#link.close("the client was closed");
    this.#resolveClosed(null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #callDriver(
    member: string,
    signature: string,
    body: readonly unknown[],
    onReply: ((reply: ReceivedMessage) => void) | null = null,
  ): Promise<ReceivedMessage> {
    const call = {
      destination: DRIVER_NAME,
      path: DRIVER_PATH,
      interface: DRIVER_NAME,
      member,
      signature,
      body,
    };
    const outcome = await this.#outcomeOf(call, {}, onReply);
    if (outcome.failure !== null) throw errorOf(outcome.failure, failedCall(call));
    if (outcome.reply.type !== MessageType.MethodReturn) {
      throw errorOfReply(outcome.reply, failedCall(call));
    }
    return outcome.reply;
  }

  /** Not async: `call` awaits the promise itself, without another one in between. */
  #outcomeOf(
    call: MethodCall,
    { timeoutMs = this.#timeoutMs, signal }: CallOptions,
    onReply: ((reply: ReceivedMessage) => void) | null,
  ): Promise<Outcome> {
    const { descriptors = [] } = call;
    const refusal = this.#refusal(descriptors);
    if (refusal !== null) return Promise.resolve({ reply: null, failure: refusal });
    if (signal?.aborted === true) {
      return Promise.resolve({ reply: null, failure: abortion(signal) });
    }
    const serial = this.#link.send(callMessage(call), descriptors);
    return this.#pending.wait(serial, timeoutMs, signal ?? null, onReply);
  }

  /** Why nothing can be sent, or null. */
  #refusal(descriptors: readonly FileDescriptor[]): Failure | null {
    if (this.#end !== null) return this.#end;
    if (this.#monitor !== null) {
      return { code: "ONEHOP_CLOSED", text: "the connection is a monitor's, which sends nothing" };
    }
    if (descriptors.length === 0 || this.#link.passesDescriptors) return null;
    return {
      code: "ONEHOP_NO_DESCRIPTORS",
      text: "this connection cannot pass file descriptors: that needs the native addon, a Unix socket and a bus that agrees",
    };
  }

  #received(header: Header, byteLength: number, descriptors: FileDescriptor[]): void {
    if (this.#end !== null) {
      closeAll(descriptors);
      return;
    }
    if (this.#monitor !== null) {
      closeAll(descriptors);
      this.#monitored(this.#monitor, header, byteLength);
      return;
    }
    const { strings } = this.#wires;
    const isForUs = this.#isForUs(header);
    const { type } = header;
    let message: ReceivedMessage | null = null;
    const make = (): ReceivedMessage => {
      message ??= receivedMessage(header, strings, descriptors, this.#values);
      return message;
    };
    if (isForUs && (type === MessageType.MethodReturn || type === MessageType.Error)) {
      if (this.#pending.has(header.replySerial)) this.#pending.reply(make());
      else closeAll(descriptors);
      return;
    }
    if (type === MessageType.Signal || !isForUs)
      this.#subscriptions.dispatch(header, isForUs, make);
    if (type === MessageType.MethodCall && isForUs) this.#called(make());
    else closeAll(descriptors);
  }

  #monitored(monitor: Monitor, header: Header, byteLength: number): void {
    // A new monitor is told that it has lost its names, and nothing else that is its own.
    if (this.#wires.strings.textOf(header.destination) === this.#uniqueName) return;
    const start = header.offset;
    const bytes = header.memory.bytes.slice(start, start + byteLength);
    monitor.take(copiedMessage(header, this.#wires.strings, bytes, this.#values), bytes);
  }

  /**
   * Nothing else comes as long as no rule asks for messages between others. A destination is then told apart by
   * the names that are known to be ours.
   */
  #isForUs(header: Header): boolean {
    if (header.destination === 0 || !this.#subscriptions.isEavesdropping) return true;
    const destination = this.#wires.strings.textOf(header.destination);
    return isUniqueName(destination)
      ? destination === this.#uniqueName
      : this.#names.has(destination);
  }

  #called(call: ReceivedMessage): void {
    let isTaken = false;
    try {
      isTaken = this.onCall?.(call) ?? false;
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
    if (isTaken) return;
    closeAll(call.descriptors);
    if (expectsReply(call) && this.#end === null) this.#link.send(answerUnserved(call), []);
  }

  #linkClosed(text: string): void {
    if (this.#end !== null) return;
    const failure: Failure = { code: "ONEHOP_DISCONNECTED", text };
    this.#ended(failure);
    this.#resolveClosed(errorOf(failure, null));
  }

  #ended(failure: Failure): void {
    this.#end = failure;
    this.#pending.failAll(failure);
    const error = failure.code === "ONEHOP_CLOSED" ? null : errorOf(failure, null);
    this.#monitor?.end(error);
    this.#subscriptions.end(error);
  }
}

function uniqueNameIn(hello: ReceivedMessage): string {
  const [name] = hello.body;
  if (typeof name === "string" && isUniqueName(name)) return name;
  const text = `the bus answered Hello with ${JSON.stringify(name)}, which is no unique name`;
  throw errorOf({ code: "ONEHOP_DISCONNECTED", text }, null);
}

function expectsReply(call: ReceivedMessage): boolean {
  return (call.flags & MessageFlag.NoReplyExpected) === 0;
}

function failedCall(call: MethodCall): {
  destination: string;
  path: string;
  interface: string | null;
  member: string;
} {
  const { destination, path, interface: interfaceName = null, member } = call;
  return { destination, path, interface: interfaceName, member };
}
