/** A peer over a real socket that sends descriptors, rightly or not, and knows whose it may get. */

import { fstatSync } from "node:fs";
import type { Addon } from "../../../native/binding.ts";
import { MessageFramer } from "../../../wire/framing.ts";
import type { Message } from "../../../wire/message.ts";
import { decodeMessage } from "../../../wire/message-codec.ts";
import { MessageType } from "../../../wire/protocol.ts";
import { must } from "../target.ts";

/** Of its own; a message takes some of them, in an order that tells which message it was. */
const FILES = 4;
/** More than any message brings. */
const MOST_RECEIVED = 253;
const READ_BYTES = 1 << 16;

/** A signal that a peer has sent: its descriptors by inode, and whether everything about it was right. */
export interface SentSignal {
  readonly sender: DescriptorPeer;
  readonly inodes: readonly number[];
}

interface Outgoing {
  readonly bytes: Uint8Array;
  readonly descriptors: readonly number[];
}

export class DescriptorPeer {
  readonly passesDescriptors: boolean;
  uniqueName = "";
  isRogue = false;
  /** Has it ever not read? Then the bus may have had to disconnect it (docs/decisions/0012). */
  wasSlow = false;
  isReading = true;
  isGone = false;
  /** Tags of signals that have to come, and of those that may. */
  readonly expected: Set<string> = new Set();
  readonly possible: Set<string> = new Set();
  /** Replies to its calls. */
  replyCount = 0;
  readonly inodes: readonly number[];
  readonly #files: readonly number[];
  readonly #addon: Addon;
  readonly #socket: number;
  readonly #signals: ReadonlyMap<string, SentSignal>;
  readonly #framer: MessageFramer = new MessageFramer();
  readonly #buffer: Uint8Array = new Uint8Array(READ_BYTES);
  #outgoing: Outgoing[] = [];
  /** Inodes of what came and no message has claimed yet. */
  #unclaimed: number[] = [];
  #linesLeft: number;

  constructor(
    addon: Addon,
    path: string,
    passesDescriptors: boolean,
    signals: ReadonlyMap<string, SentSignal>,
  ) {
    this.#addon = addon;
    this.#signals = signals;
    this.passesDescriptors = passesDescriptors;
    this.#linesLeft = passesDescriptors ? 2 : 1;
    this.#socket = addon.connectUnix(path, false);
    must(this.#socket >= 0, `cannot connect: ${this.#socket}`);
    this.#files = Array.from({ length: FILES }, () => addon.memoryDescriptor(new Uint8Array(1)));
    this.inodes = this.#files.map((file) => fstatSync(file).ino);
    const identity = Buffer.from(String(process.geteuid?.())).toString("hex");
    const negotiation = passesDescriptors ? "NEGOTIATE_UNIX_FD\r\n" : "";
    this.queue(Buffer.from(`\0AUTH EXTERNAL ${identity}\r\n${negotiation}BEGIN\r\n`), []);
  }

  /** The files that a message with this number takes, by their indexes. */
  static filesOf(number: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => (number + i * i) % FILES);
  }

  /** To be written as soon as there is room; `files` by their indexes. */
  queue(bytes: Uint8Array, files: readonly number[]): void {
    if (bytes.length === 0) return;
    const descriptors = files.map((file) => this.#files[file] as number); // below FILES
    this.#outgoing.push({ bytes, descriptors });
    this.#write();
  }

  /** Writes and reads what is possible now; false if that was nothing. */
  pump(): boolean {
    if (this.isGone) return false;
    const hasWritten = this.#write();
    return (this.isReading && this.#read()) || hasWritten;
  }

  leave(): void {
    if (!this.isGone) this.#addon.closeDescriptor(this.#socket);
    this.isGone = true;
    for (const file of this.#files) this.#addon.closeDescriptor(file);
  }

  /** Nothing came that belongs to no message. */
  mustBeEven(): void {
    must(this.#unclaimed.length === 0, `${this.#unclaimed.length} descriptors too many came`);
    must(this.expected.size === 0, `${this.uniqueName} did not get ${[...this.expected]}`);
  }

  #write(): boolean {
    let hasWritten = false;
    while (!this.isGone) {
      const [first] = this.#outgoing;
      if (first === undefined) break;
      const sent = this.#addon.send(this.#socket, first.bytes, first.descriptors);
      if (sent < 0) {
        // EAGAIN waits; whatever else it is, the end of the stream will tell.
        if (sent !== -11) this.#outgoing = [];
        break;
      }
      hasWritten = true;
      if (sent === first.bytes.length) this.#outgoing.shift();
      else this.#outgoing[0] = { bytes: first.bytes.subarray(sent), descriptors: [] };
    }
    return hasWritten;
  }

  #read(): boolean {
    let hasRead = false;
    while (!this.isGone) {
      const { byteLength, descriptors } = this.#addon.receive(
        this.#socket,
        this.#buffer,
        MOST_RECEIVED,
      );
      for (const descriptor of descriptors) {
        this.#unclaimed.push(fstatSync(descriptor).ino);
        this.#addon.closeDescriptor(descriptor);
      }
      must(
        descriptors.length === 0 || this.passesDescriptors,
        "descriptors come to a peer that does not take any",
      );
      if (byteLength === -11) break;
      if (byteLength <= 0) {
        must(this.isRogue || this.wasSlow, `${this.uniqueName} was disconnected`);
        this.#addon.closeDescriptor(this.#socket);
        this.isGone = true;
        break;
      }
      hasRead = true;
      this.#take(Uint8Array.from(this.#buffer.subarray(0, byteLength)));
    }
    return hasRead;
  }

  #take(bytes: Uint8Array): void {
    let rest = bytes;
    while (this.#linesLeft > 0) {
      const end = rest.indexOf(0x0a);
      if (end < 0) return;
      rest = rest.subarray(end + 1);
      this.#linesLeft--;
    }
    for (const whole of this.#framer.push(rest)) this.#receive(decodeMessage(whole));
  }

  #receive(message: Message): void {
    const inodes = this.#unclaimed.splice(0, message.unixFds);
    must(
      inodes.length === message.unixFds,
      `a message says ${message.unixFds} descriptors and comes with ${inodes.length}`,
    );
    if (message.type === MessageType.MethodReturn || message.type === MessageType.Error) {
      this.replyCount++;
      if (this.uniqueName === "") this.uniqueName = String(message.body[0]);
    } else if (message.interface === "fuzz.Descriptors") {
      this.#hear(String(message.body[0]), message, inodes);
    }
  }

  #hear(tag: string, message: Message, inodes: readonly number[]): void {
    const signal = this.#signals.get(tag);
    if (signal === undefined) {
      must(inodes.length === 0, "descriptors came with a message that nobody sent");
      return;
    }
    const { sender } = signal;
    must(message.sender === sender.uniqueName, `${sender.uniqueName} is called ${message.sender}`);
    must(
      inodes.every((inode) => sender.inodes.includes(inode)),
      `${this.uniqueName} got descriptors with ${tag} that are not of its sender`,
    );
    if (sender.isRogue || this.isRogue) return;
    must(
      inodes.join() === signal.inodes.join(),
      `${tag} came with the files ${inodes}, and left with ${signal.inodes}`,
    );
    const isDue = this.expected.delete(tag);
    must(isDue || this.possible.delete(tag), `${this.uniqueName} got ${tag} and should not have`);
  }
}
