/** The only typed view of the addon: what its functions take and return, and where it is found. */

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Int32 words of a record: slot, kind, segment, offset, length, consumed, aux, aux2. */
export const RECORD_WORDS = 8;

/** Fixed Int32 words of an operation; see {@link Poller.flush}. */
export const OPERATION_WORDS = 11;

/** The most descriptors that one message (one set) can carry: the kernel's SCM_MAX_FD. */
export const MAX_SET_DESCRIPTORS = 253;

/** What a record tells (word 1). Words not named for a kind are 0. */
export const RecordKind = {
  /**
   * Bytes of `slot` lie in `segment` at `offset`, `length` of them, the ones kept from before first.
   * `consumed` is preset to `length`; what JavaScript lowers it to decides what is kept.
   */
  Bytes: 0,
  /** A new connection `slot`; word 2 the listener, 3 pid, 4 uid, 5 gid of the peer (uid, gid: `>>> 0`). */
  Accepted: 1,
  /** The input of `slot` has ended: `aux` is a {@link CloseReason} or an errno. Only `close` may follow. */
  Closed: 2,
  /**
   * Listener (word 2) could not accept: `aux` is the errno, ENOSPC if there was no free slot. It no
   * longer listens; `setListening(listener, true)` tries again.
   */
  AcceptFailed: 3,
  /** Segment (word 2) was used by operations and now no output refers to it any more. */
  SegmentReleased: 4,
  /**
   * Output of `slot` failed with errno `aux` and was thrown away, as all later output will be. Input
   * goes on, so that what the peer sent before it closed is not lost.
   */
  SendFailed: 5,
  /** Descriptors have come for `slot` with a part of what `receiveInto` waits for: see `descriptorCounts`. */
  Descriptors: 6,
  /**
   * The kernel refused `aux` messages with descriptors for `slot` (ETOOMANYREFS: too many of this user's are in
   * flight). They were dropped as wholes; the output goes on behind them.
   */
  Dropped: 7,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Reasons in `aux` of a Closed record that are no errno. */
export const CloseReason = {
  /** The peer closed its end, or its writing half. */
  EndOfStream: 0,
  /** More than `maxQueuedDescriptors` descriptors were waiting to be taken, or more than its user's share. */
  TooManyDescriptors: 0x10000,
  /** The kernel could not hand over all descriptors of a message (usually RLIMIT_NOFILE). */
  DescriptorsLost: 0x10001,
} as const;
export type CloseReason = (typeof CloseReason)[keyof typeof CloseReason];

/** Positions in {@link Poller.counters}. */
export const Counter = {
  Turns: 0,
  EpollWait: 1,
  Recvmsg: 2,
  Sendmsg: 3,
  SentBytes: 4,
  ReceivedBytes: 5,
} as const;
export type Counter = (typeof Counter)[keyof typeof Counter];

/** Who is at the other end of a Unix socket, as the kernel noted when it was connected. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, or null if the kernel does not tell. */
  readonly groups: readonly number[] | null;
  /** The security module's label exactly as the kernel gives it (often NUL-terminated), or null. */
  readonly securityLabel: Uint8Array | null;
  /** A descriptor of the peer process that the caller now owns, or -1 if the kernel gives none. */
  readonly pidDescriptor: number;
}

/**
 * Descriptors are plain numbers here. Functions return what they were asked for or a negative errno;
 * they throw only for arguments of the wrong type or shape.
 */
export interface Addon {
  /** Binds and listens; a descriptor (CLOEXEC, non-blocking) or -errno. Never unlinks anything. */
  listenUnix(name: string, isAbstract: boolean, backlog: number): number;
  /** Makes an inherited listening socket CLOEXEC and non-blocking; 0, or -EINVAL if it does not listen. */
  adoptListener(fd: number): number;
  /** A connected, non-blocking descriptor, or -errno; -EAGAIN: the listener's backlog is full now. */
  connectUnix(name: string, isAbstract: boolean): number;
  /**
   * Sends one datagram to a Unix socket, whole and without waiting, or not at all: 0 or -errno. -EAGAIN: the receiver's
   * queue is full; -ENOENT, -ECONNREFUSED: nobody receives; -EMSGSIZE: it is longer than a socket buffer.
   */
  sendDatagram(name: string, isAbstract: boolean, bytes: Uint8Array): number;
  /** Two connected non-blocking stream sockets, or -errno. */
  socketPair(): readonly [number, number] | number;
  /** The reading and the writing end of a pipe, both blocking and CLOEXEC, or -errno. */
  pipe(): readonly [number, number] | number;
  closeDescriptor(fd: number): number;
  /** A CLOEXEC duplicate, or -errno. */
  duplicateDescriptor(fd: number): number;
  /** Lets no program that this process starts inherit `first` or any higher descriptor; 0, or -errno. */
  closeOnExec(first: number): number;
  /** Sets RLIMIT_NOFILE of a process (0: this one); 0 or -errno (-EPERM: another user's, or more than the hard limit). */
  limitOpenFiles(processId: number, soft: number, hard: number): number;
  /**
   * From now on blocks of memory of `bytes` or more are mapped one by one, and given back to the kernel when they are
   * freed: glibc otherwise raises its limit with every block that is freed, up to 32 MiB, and keeps what is below it.
   * 0, -EINVAL, or -ENOSYS: another C library.
   */
  mapBlocksFrom(bytes: number): number;
  /** A memfd that holds a copy of `bytes` and may be sealed, or -errno. */
  memoryDescriptor(bytes: Uint8Array): number;
  /** Up to `byteLength` bytes from position 0 on, or -errno. */
  readDescriptor(fd: number, byteLength: number): Uint8Array | number;
  /** One non-blocking sendmsg; bytes sent or -errno. The descriptors stay the caller's. */
  send(fd: number, bytes: Uint8Array, descriptors: readonly number[]): number;
  /**
   * One non-blocking recvmsg: `byteLength` is 0 at end of stream, -errno on failure. -EMSGSIZE: more
   * than `maxDescriptors` arrived; they are closed and the bytes are lost. The caller owns the rest.
   */
  receive(fd: number, into: Uint8Array, maxDescriptors: number): Received;
  /** The peer of a connected Unix socket, or -errno (-ENOTCONN, -EOPNOTSUPP for other families). */
  credentials(fd: number): PeerCredentials | number;
  /** Throws if the kernel refuses an epoll set or memory is short. */
  createPoller(options: PollerOptions): Poller;
}

export interface Received {
  readonly byteLength: number;
  readonly descriptors: number[];
}

export interface PollerOptions {
  /** Segment 0: receive area, constant fields, scratch; its layout is the caller's business. */
  readonly arena: ArrayBuffer;
  /** The part of the arena that received bytes may fill each turn. */
  readonly receiveOffset: number;
  readonly receiveLength: number;
  /** RECORD_WORDS words for each record of a turn. */
  readonly records: Int32Array;
  /** Where operations are staged for `flush` and for the end of `onTurn`. */
  readonly operations: Int32Array;
  readonly maxSlots: number;
  /** By slot: bytes accepted for sending that the kernel has not taken; right after each flush. */
  readonly unsentBytes: Float64Array;
  /** By slot: sequence number of the oldest message not wholly taken by the kernel, or 0. */
  readonly unsentFrom: Float64Array;
  /** By slot: received descriptors waiting for `takeDescriptors`. */
  readonly descriptorCounts: Int32Array;
  /**
   * Wait for the sockets ahead of libuv, whose own epoll set is then a member of ours: the process is this poller's
   * (see src/loop.c). Of an event loop's pollers at most one; without it the poller is libuv's guest.
   */
  readonly isHost: boolean;
  /** Bytes read per connection and turn. */
  readonly readLimit: number;
  /** Pieces up to this length are copied together; longer ones are sent from where they lie. */
  readonly copyLimit: number;
  /** Received and not yet taken, per connection; more ends its input. */
  readonly maxQueuedDescriptors: number;
  /**
   * The same for all connections together. Of these each user has a fair share (see src/account.c): half of them, if no
   * other user has any waiting.
   */
  readonly maxDescriptors: number;
  /**
   * Handles the records of a turn and returns how many words of `operations` to run. They run before
   * any promise reaction or `process.nextTick` that it caused. What it throws is an uncaught exception.
   */
  readonly onTurn: (recordCount: number) => number;
}

/**
 * One epoll set in the event loop. It keeps the process alive while it has a listener or a connection.
 *
 * A *turn* is: write what waited for room, accept, read, one call of `onTurn`, run the operations it
 * staged, write. What is said to happen "at the end of the turn" happens at the end of the next one
 * if nothing is running now.
 */
export interface Poller {
  /** Watches a listening socket under a number of the caller's choice. Owns `fd` even if it fails. */
  addListener(fd: number, listener: number): number;
  /** 0, or -ENOENT. */
  setListening(listener: number, isListening: boolean): number;
  /** From now on this many may wait, per connection; those that wait already stay. 0, or -EINVAL. */
  setMaxQueuedDescriptors(count: number): number;
  /** Closes the descriptor; nothing is unlinked. 0, or -ENOENT. */
  closeListener(listener: number): number;
  /** Watches a connected socket; its slot or -errno. Owns `fd` even if it fails. */
  addConnection(fd: number): number;
  /**
   * Puts the next bytes of this connection straight into `segment` from `have` on, until `want` bytes
   * lie there; then a Bytes record covers [0, want) of the segment. Nothing of the record being
   * handled is kept then: the caller has copied `have` bytes of it itself. Ends with `close` and with a
   * Closed record. 0 or -errno.
   */
  receiveInto(slot: number, segment: number, have: number, want: number): number;
  /** Makes a buffer known as a segment; its number, 1 or more, or -errno. */
  addSegment(buffer: ArrayBuffer): number;
  /** Forgets a segment and detaches its buffer; -EBUSY while output or `receiveInto` refers to it. */
  removeSegment(segment: number): number;
  /**
   * Runs the operations in words [0, wordCount) and writes all it can, now: within a turn or between.
   *
   * Words of an operation: 0 the destination slot, or -n (n ≥ 2): n slots follow the fixed words, or -1: the connection
   * with the slot in word 1 is closed, as by `close`, and the other words mean nothing; 1 the low 32
   * bits of the message's sequence number (these never differ by 2³¹ or more from one operation to the
   * next; the first one is below 2³¹); then three pieces that make the message: 2–4 segment, offset,
   * length; 5–6 offset and length in the arena; 7–9 segment, offset, length; 10 a descriptor set or 0.
   *
   * Pieces in the arena are free for reuse when this returns. Segments ≥ 1 may be referred to for
   * longer: a SegmentReleased record follows each use. An operation that points outside its segment or
   * to an unknown set makes the output of its destinations fail (EFAULT, EBADF).
   */
  flush(wordCount: number): void;
  /**
   * Pauses or resumes input. Kept bytes are delivered again in the turn after resuming even if none
   * arrived. While paused, the end of the peer is not noticed, except by output that fails.
   */
  setReading(slot: number, isReading: boolean): number;
  /**
   * No more records for this slot. What is staged is tried once by the next flush (or the end of the
   * turn), then the descriptor is closed; the slot may be given out again after the turn.
   */
  close(slot: number): number;
  /** How many messages are not written as a whole, counted one by one: for statistics. Or -ENOENT. */
  unsentMessages(slot: number): number;
  /**
   * Moves the oldest `count` received descriptors into a set: its number (> 0) or -errno, -EINVAL if
   * there are not as many. The set is closed at the end of the turn unless retained or in unsent output.
   */
  takeDescriptors(slot: number, count: number): number;
  /** A set of these 1 to 253 descriptors, with the same life; owns them even if it fails. */
  putDescriptors(fds: readonly number[]): number;
  /** Keeps a set beyond the turn; each call asks for one `releaseDescriptors`. 0, or -EBADF. */
  retainDescriptors(set: number): number;
  releaseDescriptors(set: number): number;
  /** The numbers in a set, which still owns them; empty if there is no such set. */
  descriptorsOf(set: number): number[];
  credentials(slot: number): PeerCredentials | number;
  /** Totals since the start, by {@link Counter}. */
  counters(): Float64Array;
  /** Closes everything. Idempotent; every other call then returns -EBADF or nothing. */
  stop(): void;
}

/** Thrown by {@link loadAddon}; a daemon cannot work without, a client can over streams. */
export class AddonMissingError extends Error {
  override readonly name = "AddonMissingError";
  readonly code = "ONEHOP_ADDON_MISSING";
}

/** By file, so that each is one addon in this process, however often it is asked for. */
const loaded: Map<string, Addon> = new Map();

/**
 * Loads the first addon there is: `$ONEHOP_ADDON`, the one built here, the prebuilt one for this
 * machine. `ONEHOP_ADDON=none` pretends that there is none.
 *
 * @throws AddonMissingError, in one line: what was tried and what to do
 */
export function loadAddon(): Addon {
  const chosen = process.env["ONEHOP_ADDON"];
  if (chosen === "none") {
    throw new AddonMissingError("the native addon is switched off by ONEHOP_ADDON=none");
  }
  const root = packageRoot();
  const tried: string[] = [];
  for (const file of [
    ...(chosen ? [resolve(chosen)] : []),
    join(root, "native/build/onehop.node"),
    join(root, `native/prebuilds/linux-${process.arch}/onehop.node`),
  ]) {
    if (!existsSync(file)) {
      tried.push(`${file} (not there)`);
      continue;
    }
    try {
      const addon = loaded.get(file) ?? load(file);
      loaded.set(file, addon);
      return addon;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      tried.push(`${file} (${reason.replace(/\s*\n\s*/g, " ")})`);
    }
  }
  throw new AddonMissingError(
    `the native addon of onehop cannot be loaded: tried ${tried.join(", ")}; run \`npm run build:native\``,
  );
}

/** Not by require(), which would be another 2 ms of a bus's start. */
function load(file: string): Addon {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, file);
  // The addon is what these types describe; nothing but its tests can check that.
  return module.exports as Addon;
}

/** The nearest folder upwards with a package.json: this file runs from native/ and from dist/native/. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  return folder;
}
