/** Copies of every message for those who watch the whole bus. */

import type { MatchRule } from "../matchrules/rule.ts";
import { SubscriptionIndex } from "../matchrules/subscription-index.ts";
import type { Stage } from "../transport/stage.ts";
import { Arguments } from "../wire/args.ts";
import { Header } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import type { Memory } from "../wire/memory.ts";
import { appendSender, SENDER_FIELD_BYTES, writeSenderField } from "../wire/stitch.ts";
import type { Directory } from "./directory.ts";
import type { Endpoint } from "./endpoint.ts";

/** What dbus-daemon calls a peer that has not said Hello. */
const NOT_ACTIVE_YET = ":not.active.yet";

/** Stages the message in hand for the first `count` of `receivers`. */
type Deliver = (receivers: Int32Array, count: number, unixFds: number) => void;

/**
 * The connections that became monitors, and what each of them wants to see.
 *
 * A message is shown when it is accepted or sent, before anybody knows whether it will arrive: a call
 * to nobody and the error that answers it are seen both. Rules are asked as if every message were
 * overheard, so that those with `destination` work, and those without see unicasts too.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#bus-messages-become-monitor
 */
export class Monitors {
  /** Is anybody watching? All that a message costs when nobody is. */
  isActive = false;
  readonly #strings: Strings;
  readonly #stage: Stage;
  readonly #directory: Directory;
  readonly #deliver: Deliver;
  readonly #rules: SubscriptionIndex;
  readonly #members: Set<Endpoint> = new Set();
  readonly #driverSenders: Int32Array;
  /** A destination that leads nowhere is still a name that a rule can ask for. */
  readonly #missing: Int32Array = new Int32Array(1);
  readonly #header: Header;
  readonly #arguments: Arguments;

  constructor(
    strings: Strings,
    stage: Stage,
    directory: Directory,
    driverId: number,
    deliver: Deliver,
  ) {
    this.#strings = strings;
    this.#stage = stage;
    this.#directory = directory;
    this.#deliver = deliver;
    this.#rules = new SubscriptionIndex(strings);
    this.#driverSenders = new Int32Array([driverId]);
    this.#header = new Header(stage.arena);
    this.#arguments = new Arguments(this.#header);
  }

  /** How many there are. */
  get count(): number {
    return this.#members.size;
  }

  /** Rules of all monitors. */
  get ruleCount(): number {
    return this.#rules.ruleCount;
  }

  /** Shows to `endpoint` from now on what matches one of `rules`; it should have no names left. */
  add(endpoint: Endpoint, rules: readonly MatchRule[]): void {
    for (const rule of rules) this.#rules.add(endpoint.index, { ...rule, eavesdrop: true });
    this.#members.add(endpoint);
    this.isActive = true;
  }

  /** Does nothing if `endpoint` is no monitor. */
  remove(endpoint: Endpoint): void {
    if (!this.#members.delete(endpoint)) return;
    this.#rules.removeSubscriber(endpoint.index);
    this.isActive = this.#members.size > 0;
  }

  /** The canonical texts of a monitor's rules. */
  rulesOf(endpoint: Endpoint): string[] {
    return this.#rules.rulesOf(endpoint.index);
  }

  /** Shows the message of `header`, which `sender` has sent. */
  see(sender: Endpoint, header: Header, descriptors: number): void {
    const { senders, senderCount } = sender;
    const count = this.#match(header, senders, senderCount);
    if (count === 0) return;
    const middle = this.#stage.senderOffset(sender.index, header.isLittleEndian);
    this.#show(sender, header, middle, sender.senderFieldLength, descriptors, count);
  }

  /** The same for a sender that has no name yet. */
  seeUnregistered(sender: Endpoint, header: Header): void {
    const count = this.#match(header, NOBODY, 0);
    if (count === 0) return;
    const { arena } = this.#stage;
    const middle = this.#stage.scratch(SENDER_FIELD_BYTES);
    const length = writeSenderField(arena, middle, NOT_ACTIVE_YET, header.isLittleEndian);
    this.#show(sender, header, middle, length, 0, count);
  }

  /** The same for a whole message that was kept aside: Hello, until its sender has a name. */
  seeKept(sender: Endpoint, message: Memory): void {
    this.#header.parse(this.#strings, message, 0);
    this.see(sender, this.#header, 0);
  }

  /** The same for a message that the bus has made, `byteLength` bytes at `offset`. */
  seeFromDriver(
    memory: Memory,
    offset: number,
    byteLength: number,
    sequence: number,
    descriptors: number,
  ): void {
    const header = this.#header;
    header.parse(this.#strings, memory, offset);
    const count = this.#match(header, this.#driverSenders, 1);
    if (count === 0) return;
    this.#stage.message(sequence, memory, offset, byteLength, 0, 0, memory, 0, 0, descriptors);
    this.#deliver(this.#rules.receivers, count, header.unixFds);
  }

  #match(header: Header, senders: Int32Array, senderCount: number): number {
    const { destination } = header;
    const receiver = this.#directory.find(destination);
    this.#missing[0] = destination;
    let names = this.#missing;
    let nameCount = destination === 0 ? 0 : 1;
    if (receiver !== null) {
      names = receiver.senders;
      nameCount = receiver.senderCount;
    }
    this.#arguments.begin(header);
    return this.#rules.match(header, this.#arguments, senders, senderCount, true, names, nameCount);
  }

  #show(
    sender: Endpoint,
    header: Header,
    senderFieldOffset: number,
    senderFieldLength: number,
    descriptors: number,
    count: number,
  ): void {
    const { memory, offset, headerLength, bodyOffset, bodyLength } = header;
    appendSender(header, senderFieldLength);
    this.#stage.message(
      sender.lastSequence,
      memory,
      offset,
      headerLength,
      senderFieldOffset,
      (senderFieldLength + 7) & ~7,
      memory,
      bodyOffset,
      bodyLength,
      descriptors,
    );
    this.#deliver(this.#rules.receivers, count, header.unixFds);
  }
}

const NOBODY = new Int32Array(0);
