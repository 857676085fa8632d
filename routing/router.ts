/** Hot path: one message from its sender to its receivers. */

import type { SubscriptionIndex } from "../matchrules/subscription-index.ts";
import type { Stage } from "../transport/stage.ts";
import { Arguments } from "../wire/args.ts";
import { Header } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import type { Memory } from "../wire/memory.ts";
import { MessageFlag, MessageType } from "../wire/protocol.ts";
import { copyMessage } from "../wire/stitch.ts";
import { newCounters, type RoutingCounters } from "./counters.ts";
import { Delivery } from "./delivery.ts";
import type { Directory } from "./directory.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Gatekeeper } from "./gatekeeper.ts";
import { type Gateway, GatewayAnswer, type GatewayFailure } from "./gateway.ts";
import { Intake } from "./intake.ts";
import type { Ledger } from "./ledger.ts";
import type { RoutingLimits } from "./limits.ts";
import { Monitors } from "./monitors.ts";
import { Undelivered } from "./outcome.ts";
import { PendingMessages } from "./pending.ts";
import { ReplyTable } from "./replies.ts";
import { Sequence } from "./sequence.ts";

const {
  MethodCall: METHOD_CALL,
  MethodReturn: METHOD_RETURN,
  Error: ERROR,
  Signal: SIGNAL,
} = MessageType;
const { NoReplyExpected: NO_REPLY_EXPECTED, NoAutoStart: NO_AUTO_START } = MessageFlag;

/** What routing cannot know: the meaning of messages to and from the bus itself. */
export interface Meaning {
  /** The id of the driver's name. */
  readonly driverId: number;
  /**
   * A message from a peer that has not said Hello; only Hello to the driver is in order. Is it one that
   * others may overhear?
   */
  unregistered(sender: Endpoint, header: Header): boolean;
  /** A message to the driver. Is it one that others may overhear: was it not answered with an error? */
  toDriver(sender: Endpoint, header: Header): boolean;
  /** A method call without destination. */
  toNobody(sender: Endpoint, header: Header): void;
  /** `header`'s message did not reach its destination. */
  undelivered(sender: Endpoint, header: Header, why: Undelivered): void;
  /** The gateway says why there is nobody to give `header`'s message to. */
  notFound(sender: Endpoint, header: Header, why: GatewayFailure): void;
  /** `header`'s message, which `receiver` asked for by a rule, has descriptors that it cannot have. */
  withheld(sender: Endpoint, header: Header, receiver: Endpoint): void;
  /**
   * `receiver`, which asked for `header`'s message by a rule, may not have it; only monitors are told. A null sender is
   * the bus itself.
   */
  denied(sender: Endpoint | null, header: Header, receiver: Endpoint): void;
  /** A message of the bus itself, of that serial, may not be received; only monitors are told. */
  untold(serial: number): void;
  /** `receiver` will not get what `sender` says to it: too much that this user has sent waits there already. */
  shareSpent(sender: Endpoint, receiver: Endpoint): void;
  /** The reply in hand, of `sender`, cannot be given to `caller` for the same reason, and is lost. */
  replyLost(sender: Endpoint, header: Header, caller: Endpoint): void;
  /** A receiver that must not miss anything could not be given a message. */
  disconnect(receiver: Endpoint, reason: string): void;
}

export class Router {
  readonly sequence: Sequence;
  readonly replies: ReplyTable = new ReplyTable();
  readonly pending: PendingMessages = new PendingMessages();
  readonly monitors: Monitors;
  readonly counters: RoutingCounters = newCounters();
  /** Who is asked whether messages may pass; null: nobody, for all may. */
  gatekeeper: Gatekeeper | null = null;
  readonly #strings: Strings;
  readonly #stage: Stage;
  readonly #directory: Directory;
  readonly #subscriptions: SubscriptionIndex;
  readonly #gateway: Gateway;
  readonly #limits: RoutingLimits;
  readonly #ledger: Ledger;
  readonly #meaning: Meaning;
  readonly #intake: Intake;
  readonly #delivery: Delivery;
  /** Of the message in hand, the intake's. */
  readonly #header: Header;
  readonly #arguments: Arguments;
  readonly #driverSenders: Int32Array;
  #isRouting = false;
  /** Receivers that the gatekeeper has just refused a copy, while monitors want to know. */
  #denied: Endpoint[] = [];
  /** For messages of the bus itself, which the gatekeeper is asked about while another one is in hand. */
  readonly #ownHeader: Header;

  constructor(
    strings: Strings,
    stage: Stage,
    directory: Directory,
    subscriptions: SubscriptionIndex,
    gateway: Gateway,
    limits: RoutingLimits,
    ledger: Ledger,
    meaning: Meaning,
    lastSequence = 0,
  ) {
    this.sequence = new Sequence(lastSequence);
    this.#strings = strings;
    this.#stage = stage;
    this.#directory = directory;
    this.#subscriptions = subscriptions;
    this.#gateway = gateway;
    this.#limits = limits;
    this.#ledger = ledger;
    this.#meaning = meaning;
    this.#intake = new Intake(strings, stage, limits);
    this.#delivery = new Delivery(
      stage,
      directory,
      this.#intake,
      this.sequence,
      limits,
      this.counters,
      ledger,
      meaning.shareSpent,
      meaning.disconnect,
    );
    this.#header = this.#intake.header;
    this.#ownHeader = new Header(stage.arena);
    this.#arguments = new Arguments(this.#header);
    this.#driverSenders = new Int32Array([meaning.driverId]);
    this.monitors = new Monitors(
      strings,
      stage,
      directory,
      meaning.driverId,
      (receivers, count, unixFds) =>
        this.#delivery.toReceivers(null, receivers, count, unixFds, null),
    );
  }

  /** Routes the whole message at `offset`. A violation ends the sender's connection. */
  route(sender: Endpoint, memory: Memory, offset: number, byteLength: number): void {
    if (!this.#intake.take(sender, memory, offset, byteLength)) return;
    const header = this.#header;
    sender.lastSequence = this.sequence.next();
    sender.acceptedCount++;
    this.counters.accepted++;
    this.#isRouting = true;
    if (this.monitors.isActive && sender.isRegistered && !this.#isSeenLater()) {
      this.monitors.see(sender, header, this.#intake.descriptorSet);
    }
    this.#dispatch(sender);
    this.#isRouting = false;
    this.#delivery.disconnectDoomed();
  }

  /** The message in hand; the next one overwrites it. */
  get header(): Header {
    return this.#header;
  }

  /** A turn is over: who could not be given a message is disconnected, strings that nobody holds may go. */
  endTurn(): void {
    this.#delivery.disconnectDoomed();
    this.#strings.sweep();
  }

  /**
   * Delivers a signal that the bus itself made and wrote to memory to whoever subscribed to it.
   * `header` is the caller's own, for routing may be in the middle of another message.
   */
  broadcastFromDriver(header: Header, args: Arguments): void {
    args.begin(header);
    const senders = this.#driverSenders;
    const asked = this.#subscriptions.match(header, args, senders, 1, false, NOBODY, 0);
    const sequence = this.sequence.next();
    const length = header.headerLength + header.bodyLength;
    const { memory, offset } = header;
    if (this.monitors.isActive) this.monitors.seeFromDriver(memory, offset, length, sequence, 0);
    const count = asked === 0 ? 0 : this.#admit(null, header, asked, null);
    if (count !== 0) {
      this.#stage.message(sequence, memory, offset, length, 0, 0, memory, 0, 0, 0);
      this.#delivery.toReceivers(null, this.#subscriptions.receivers, count, 0, null);
    }
    if (this.#denied.length !== 0) this.#reportDenied(null, header);
  }

  /**
   * Sends a message that the bus made, `byteLength` bytes at `offset`, to one endpoint. If that is gone,
   * only monitors see it.
   */
  sendFromDriver(
    receiver: Endpoint,
    memory: Memory,
    offset: number,
    byteLength: number,
    descriptors: number,
    wasShown = false,
  ): void {
    const sequence = this.sequence.next();
    if (this.monitors.isActive && !wasShown) {
      this.monitors.seeFromDriver(memory, offset, byteLength, sequence, descriptors);
    }
    if (receiver.connection.isClosed) return;
    if (this.gatekeeper !== null && receiver.isRegistered) {
      this.#ownHeader.parse(this.#strings, memory, offset);
      if (!this.gatekeeper.mayBeTold(receiver, this.#ownHeader)) {
        if (this.monitors.isActive) this.#meaning.untold(this.#ownHeader.serial);
        return;
      }
    }
    this.#stage.message(sequence, memory, offset, byteLength, 0, 0, memory, 0, 0, descriptors);
    if (this.#delivery.isFull(receiver, null)) {
      this.#delivery.doom(receiver, "it does not read its replies");
      return;
    }
    this.#stage.to(receiver.connection);
    this.counters.delivered++;
  }

  /** Shows the monitors, and nobody else, a message that the bus made, `byteLength` bytes at `offset`. */
  showFromDriver(memory: Memory, offset: number, byteLength: number): void {
    if (!this.monitors.isActive) return;
    this.monitors.seeFromDriver(memory, offset, byteLength, this.sequence.next(), 0);
  }

  /** Shows the message in hand to the monitors, though its sender has not said Hello. */
  showUnregistered(sender: Endpoint): void {
    if (this.monitors.isActive) this.monitors.seeUnregistered(sender, this.#header);
  }

  /** Keeps the message in hand, Hello, and shows it to the monitors once the sender has a name. */
  showWhenRegistered(sender: Endpoint): () => void {
    if (!this.monitors.isActive) return showNothing;
    const message = copyMessage(this.#header);
    return () => this.monitors.seeKept(sender, message);
  }

  /** Keeps the message in hand aside until `name` is settled. */
  hold(name: string, sender: Endpoint): boolean {
    const header = this.#header;
    const byteLength = header.headerLength + header.bodyLength;
    if (this.pending.bytesOf(sender) + byteLength > this.#limits.maxPendingBytes) return false;
    if (!this.#ledger.chargeHeld(sender, byteLength, header.unixFds)) return false;
    if (this.#intake.descriptorSet !== 0) this.#stage.retainDescriptors(this.#intake.descriptorSet);
    const { unixFds } = header;
    const memory = copyMessage(header);
    const descriptors = this.#intake.descriptorSet;
    this.pending.hold(name, { sender, memory, byteLength, descriptors, unixFds });
    sender.peakPendingBytes = Math.max(sender.peakPendingBytes, this.pending.bytesOf(sender));
    if (unixFds !== 0) {
      const waiting = this.pending.waitingOf(sender).unixFds;
      sender.peakPendingUnixFds = Math.max(sender.peakPendingUnixFds, waiting);
    }
    return true;
  }

  /** Calls `reached` between the messages that wait for `name` now and those that will; returns how to give that up. */
  holdPlace(name: string, reached: () => void): () => void {
    const place = { reached };
    this.pending.holdPlace(name, place);
    return () => this.pending.leave(name, place);
  }

  /** The gateway found `name`: what waited for it is routed now, in order. */
  found(name: string): void {
    this.#settle(name, true, null);
  }

  /** The gateway did not find `name`: each sender is told, and why if that is known. */
  notFound(name: string, why: GatewayFailure | null = null): void {
    this.#settle(name, false, why);
  }

  /** Forgets everything that concerns an endpoint that is gone, except names and subscriptions. */
  forget(endpoint: Endpoint): void {
    this.replies.forgetCaller(endpoint.index);
    for (const held of this.pending.takeFrom(endpoint)) {
      this.#ledger.refundHeld(held.sender, held.byteLength, held.unixFds);
      if (held.descriptors !== 0) this.#stage.releaseDescriptors(held.descriptors);
    }
  }

  #dispatch(sender: Endpoint): void {
    const header = this.#header;
    const destination = header.destination;
    if (sender.uniqueId === 0 || destination === this.#meaning.driverId) {
      this.#toDriver(sender);
    } else if (destination !== 0) {
      this.#unicast(sender, this.#directory.find(destination));
    } else if (header.type === SIGNAL) {
      this.#multicast(sender);
    } else if (header.type === METHOD_CALL) {
      this.#meaning.toNobody(sender, header);
    }
    // A reply or a message of unknown type without destination is for nobody.
  }

  /** What succeeds is overheard, after all that it led to: dbus-daemon's order. */
  #toDriver(sender: Endpoint): void {
    const header = this.#header;
    const { gatekeeper } = this;
    if (gatekeeper !== null && sender.uniqueId !== 0) {
      if (!gatekeeper.mayPass(sender, null, header, false)) {
        if (header.type === SIGNAL) this.showWhenRegistered(sender)();
        this.#undelivered(sender, Undelivered.Denied);
        return;
      }
    }
    const descriptors = this.#intake.descriptorSet;
    // The driver may have messages routed that waited for a name, and use up the scratch area.
    const kept = this.#subscriptions.hasEavesdroppers ? copyMessage(header) : null;
    const hasSucceeded =
      sender.uniqueId === 0
        ? this.#meaning.unregistered(sender, header)
        : header.type === SIGNAL
          ? this.#newsForDriver(sender)
          : this.#meaning.toDriver(sender, header);
    if (kept === null || !hasSucceeded || sender.uniqueName === "") return;
    this.#intake.takeKept(kept, descriptors);
    sender.lastSequence = this.sequence.next();
    this.#eavesdrop(sender, null);
  }

  #unicast(sender: Endpoint, receiver: Endpoint | null): void {
    const header = this.#header;
    if (receiver === null) {
      this.#findReceiver(sender);
      return;
    }
    const type = header.type;
    if (type > SIGNAL) {
      this.#undelivered(sender, Undelivered.UnknownType);
      return;
    }
    const isReply = type === METHOD_RETURN || type === ERROR;
    if (this.gatekeeper !== null && !this.#mayPass(this.gatekeeper, sender, receiver)) {
      if (isReply) this.replies.take(receiver.index, header.replySerial, sender.index);
      this.#undelivered(sender, Undelivered.Denied);
      return;
    }
    if (header.unixFds !== 0 && !receiver.connection.passesDescriptors) {
      this.#undelivered(sender, Undelivered.NoDescriptors);
      return;
    }
    if (isReply && !this.replies.take(receiver.index, header.replySerial, sender.index)) {
      this.counters.unexpectedReplies++;
      return;
    }
    this.#delivery.stageMessage(sender);
    if (this.#delivery.isFull(receiver, sender, header.unixFds)) {
      this.#refused(sender, receiver, isReply);
      return;
    }
    if (type === METHOD_CALL && (header.flags & NO_REPLY_EXPECTED) === 0) {
      const waiting = this.replies.countOf(sender.index);
      if (waiting >= this.#limits.maxRepliesPerConnection) {
        this.#undelivered(sender, Undelivered.TooManyReplies);
        return;
      }
      if (waiting >= sender.replyAllowance && !this.#ledger.raiseReplyAllowance(sender, waiting)) {
        this.#undelivered(sender, Undelivered.TooManyRepliesOfUser);
        return;
      }
      if (!this.replies.expect(sender.index, header.serial, receiver.index)) {
        this.#undelivered(sender, Undelivered.SerialInUse);
        return;
      }
    }
    this.#stage.to(receiver.connection);
    this.counters.unicast++;
    this.counters.delivered++;
    this.#eavesdrop(sender, receiver);
  }

  #multicast(sender: Endpoint): void {
    const header = this.#header;
    this.#arguments.begin(header);
    const asked = this.#subscriptions.match(
      header,
      this.#arguments,
      sender.senders,
      sender.senderCount,
      false,
      NOBODY,
      0,
    );
    this.counters.multicast++;
    this.#copyTo(sender, asked, null);
  }

  /** Copies for those who listen to other peers' messages with eavesdrop='true'. */
  #eavesdrop(sender: Endpoint, receiver: Endpoint | null): void {
    const header = this.#header;
    this.#arguments.begin(header);
    const asked = this.#subscriptions.match(
      header,
      this.#arguments,
      sender.senders,
      sender.senderCount,
      true,
      receiver === null ? this.#driverSenders : receiver.senders,
      receiver === null ? 1 : receiver.senderCount,
    );
    this.#copyTo(sender, asked, receiver);
  }

  /** Gives the message in hand to the first `asked` receivers that subscriptions found, but not to `except`. */
  #copyTo(sender: Endpoint, asked: number, except: Endpoint | null): void {
    if (asked === 0) return;
    const { unixFds } = this.#header;
    const count = this.#admit(sender, this.#header, asked, except);
    if (count !== 0) {
      this.#delivery.stageMessage(sender);
      this.#delivery.toReceivers(sender, this.#subscriptions.receivers, count, unixFds, except);
      if (unixFds !== 0 && this.monitors.isActive) this.#reportWithheld(sender, except, count);
    }
    if (this.#denied.length !== 0) this.#reportDenied(sender, this.#header);
  }

  #mayPass(gatekeeper: Gatekeeper, sender: Endpoint, receiver: Endpoint): boolean {
    const header = this.#header;
    const { replySerial } = header;
    const isRequested =
      replySerial !== 0 && this.replies.isExpected(receiver.index, replySerial, sender.index);
    return gatekeeper.mayPass(sender, receiver, header, isRequested);
  }

  /**
   * Of the first `count` receivers that subscriptions found for a message, those come first that may have a copy; returns
   * how many they are. `except` has it already, or not for this reason.
   */
  #admit(sender: Endpoint | null, header: Header, count: number, except: Endpoint | null): number {
    const { gatekeeper } = this;
    if (gatekeeper === null) return count;
    const { receivers } = this.#subscriptions;
    let admitted = 0;
    gatekeeper.beginCopies(header);
    for (let i = 0; i < count; i++) {
      const index = receivers[i] as number; // match filled in count of them
      const receiver = this.#directory.at(index);
      if (receiver === null || receiver === except) continue;
      if (gatekeeper.mayHear(sender, receiver, header)) receivers[admitted++] = index;
      else if (this.monitors.isActive) this.#denied.push(receiver);
    }
    return admitted;
  }

  /** The message in hand finds the queue of `receiver` full. */
  #refused(sender: Endpoint, receiver: Endpoint, isReply: boolean): void {
    receiver.missedCount++;
    if (this.#delivery.isShareSpent) this.#meaning.shareSpent(sender, receiver);
    if (!isReply) {
      const { ReceiverFull, ShareSpent } = Undelivered;
      this.#undelivered(sender, this.#delivery.isShareSpent ? ShareSpent : ReceiverFull);
    } else if (this.#delivery.isShareSpent) {
      this.#meaning.replyLost(sender, this.#header, receiver);
    } else {
      this.#delivery.doom(receiver, "it does not read its replies");
    }
  }

  /** Is the message in hand for a name that has to be found, or news for the driver? */
  #isSeenLater(): boolean {
    const { destination, type } = this.#header;
    if (destination === 0) return false;
    if (destination === this.#meaning.driverId) return type === SIGNAL;
    return this.#directory.find(destination) === null;
  }

  /** As with dbus-daemon, what it leads to is seen before it. */
  #newsForDriver(sender: Endpoint): boolean {
    const show = this.showWhenRegistered(sender);
    const hasSucceeded = this.#meaning.toDriver(sender, this.#header);
    show();
    return hasSucceeded;
  }

  #reportDenied(sender: Endpoint | null, header: Header): void {
    const denied = this.#denied;
    this.#denied = [];
    for (const receiver of denied) this.#meaning.denied(sender, header, receiver);
  }

  /** Of the first `count` receivers of the message in hand, those that cannot have its descriptors. */
  #reportWithheld(sender: Endpoint, except: Endpoint | null, count: number): void {
    for (const index of this.#subscriptions.receivers.slice(0, count)) {
      const receiver = this.#directory.at(index);
      if (receiver === null || receiver === except || receiver.connection.passesDescriptors)
        continue;
      this.#meaning.withheld(sender, this.#header, receiver);
    }
  }

  #notFound(sender: Endpoint, why: GatewayFailure): void {
    this.counters.undelivered++;
    sender.undeliveredCount++;
    this.#meaning.notFound(sender, this.#header, why);
  }

  #undelivered(sender: Endpoint, why: Undelivered): void {
    this.counters.undelivered++;
    sender.undeliveredCount++;
    this.#meaning.undelivered(sender, this.#header, why);
  }

  #findReceiver(sender: Endpoint): void {
    const header = this.#header;
    const name = this.#strings.textOf(header.destination);
    const mayStart = (header.flags & NO_AUTO_START) === 0;
    const answer = this.#gateway.find(name, sender, mayStart);
    // As with dbus-daemon: what looking for the name has led to is seen first.
    if (this.monitors.isActive) this.monitors.see(sender, header, this.#intake.descriptorSet);
    if (answer === GatewayAnswer.Absent) {
      this.#undelivered(sender, Undelivered.NoOwner);
    } else if (answer !== GatewayAnswer.Pending) {
      this.#notFound(sender, answer);
    } else if (!this.hold(name, sender)) {
      this.#undelivered(sender, Undelivered.TooMuchPending);
    }
  }

  #settle(name: string, isFound: boolean, why: GatewayFailure | null): void {
    const header = this.#header;
    for (const held of this.pending.take(name)) {
      if ("reached" in held) {
        if (isFound) held.reached();
        else this.pending.holdPlace(name, held);
        this.#stage.flush();
        continue;
      }
      this.#ledger.refundHeld(held.sender, held.byteLength, held.unixFds);
      if (!held.sender.connection.isClosed) {
        // It was parsed and validated when it came; only the header in hand has to be filled again.
        this.#intake.takeKept(held.memory, held.descriptors);
        // Its receiver may have got later ones: it takes its place in the order of the bus now.
        held.sender.lastSequence = this.sequence.next();
        const receiver = isFound ? this.#directory.find(header.destination) : null;
        // What was for the driver only asked for the name, and has been answered.
        const isAnswered = isFound && header.destination === this.#meaning.driverId;
        if (receiver !== null) this.#unicast(held.sender, receiver);
        else if (why !== null) this.#notFound(held.sender, why);
        else if (!isAnswered) this.#undelivered(held.sender, Undelivered.NoOwner);
      }
      // What is staged refers to the kept copy and its descriptors.
      this.#stage.flush();
      if (held.descriptors !== 0) this.#stage.releaseDescriptors(held.descriptors);
    }
    if (this.#isRouting) return;
    this.#delivery.disconnectDoomed();
    this.#stage.flush();
  }
}

const NOBODY = new Int32Array(0);
const showNothing = (): void => {};
