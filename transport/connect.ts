/** Connects a client to the first address of a list that answers. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { getSystemErrorName } from "node:util";
import type { Addon } from "../native/binding.ts";
import {
  type Address,
  AddressError,
  type ConnectTarget,
  connectTargetOf,
  formatAddress,
  parseAddresses,
} from "./address.ts";
import { autolaunchedAddress } from "./autolaunch.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { errorNameOf } from "./listening/listen-error.ts";
import { NONCE_BYTES } from "./listening/nonce.ts";

/** A connected stream: either `descriptor` or `socket` is there, and is the caller's to close. */
export interface ConnectedStream {
  /** The address that answered; `guidOf` tells which GUID it promises. */
  readonly address: Address;
  /** With the addon: non-blocking, close-on-exec. */
  readonly descriptor: FileDescriptor | null;
  /** Without the addon. */
  readonly socket: Socket | null;
}

/** None of the addresses answered; the message is one line that says what became of each. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly code = "ONEHOP_CONNECT_FAILED";
  /** In the order in which they were tried. */
  readonly attempts: readonly { readonly address: string; readonly reason: string }[];

  constructor(attempts: readonly { readonly address: string; readonly reason: string }[]) {
    super(
      `cannot connect: ${attempts.map(({ address, reason }) => `${address}: ${reason}`).join("; ")}`,
    );
    this.attempts = attempts;
  }
}

/** How long to wait, again and again, for a listener whose queue is full: about two seconds in all. */
const BUSY_WAITS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const { EAGAIN } = constants.errno;

/**
 * Tries the addresses in order, as the specification wants it, and returns the first stream that is
 * connected. Nothing has been sent on it, but for the nonce of nonce-tcp.
 *
 * @throws AddressError if the list cannot be read; ConnectError if no address answers
 */
export async function connectAddress(
  addresses: string,
  { addon }: { readonly addon: Addon | null },
): Promise<ConnectedStream> {
  const attempts: { address: string; reason: string }[] = [];
  for (const address of parseAddresses(addresses)) {
    const result = await openAddress(address, addon);
    if (typeof result !== "string") return result;
    attempts.push({ address: formatAddress(address), reason: result });
  }
  throw new ConnectError(attempts);
}

/** A stream to this one address, or why there is none. */
export async function openAddress(
  address: Address,
  addon: Addon | null,
): Promise<ConnectedStream | string> {
  let target: ConnectTarget;
  try {
    target = connectTargetOf(address);
  } catch (error) {
    if (error instanceof AddressError) return error.reason;
    throw error;
  }
  switch (target.kind) {
    case "unix":
      if (addon !== null) return openDescriptor(address, target.name, target.isAbstract, addon);
      // libuv 1.46 (Node 20) pads abstract names to 108 bytes, which makes another name of each.
      if (target.isAbstract) return "the native addon is needed for abstract names";
      return openSocket(address, () => connect(target.name));
    case "tcp":
      return openTcp(address, target);
    case "program":
      return addon === null
        ? "the native addon is needed for unixexec"
        : openProgram(address, target.path, target.words, addon);
    case "autolaunch":
      return openAutolaunched(addon);
  }
}

/** The stream has the address that dbus-launch told. */
async function openAutolaunched(addon: Addon | null): Promise<ConnectedStream | string> {
  const addresses = await autolaunchedAddress(process.env);
  if ("reason" in addresses) return addresses.reason;
  const reasons: string[] = [];
  for (const address of parseAddresses(addresses.text)) {
    const result =
      address.transport === "autolaunch"
        ? "dbus-launch knows none either"
        : await openAddress(address, addon);
    if (typeof result !== "string") return result;
    reasons.push(`${formatAddress(address)}: ${result}`);
  }
  return reasons.join("; ");
}

async function openDescriptor(
  address: Address,
  name: string,
  isAbstract: boolean,
  addon: Addon,
): Promise<ConnectedStream | string> {
  let result = addon.connectUnix(name, isAbstract);
  for (const waitMs of BUSY_WAITS_MS) {
    if (result !== -EAGAIN) break;
    await delay(waitMs);
    result = addon.connectUnix(name, isAbstract);
  }
  if (result < 0) return getSystemErrorName(result);
  return { address, descriptor: new FileDescriptor(result, addon), socket: null };
}

async function openTcp(
  address: Address,
  target: ConnectTarget & { kind: "tcp" },
): Promise<ConnectedStream | string> {
  const { host, port, family, nonceFile } = target;
  let nonce: Buffer | null = null;
  if (nonceFile !== null) {
    try {
      nonce = await readFile(nonceFile);
    } catch (error) {
      return `cannot read the nonce file: ${errorNameOf(error)}`;
    }
    if (nonce.length !== NONCE_BYTES) return `the nonce file has not ${NONCE_BYTES} bytes`;
  }
  const stream = await openSocket(address, () => connect({ host, port, family, noDelay: true }));
  if (typeof stream !== "string" && nonce !== null) stream.socket?.write(nonce);
  return stream;
}

async function openSocket(address: Address, open: () => Socket): Promise<ConnectedStream | string> {
  const socket = open();
  try {
    await once(socket, "connect");
    return { address, descriptor: null, socket };
  } catch (error) {
    socket.destroy();
    return errorNameOf(error);
  }
}

/** The program ends when its standard input does; what it writes to standard error is ours to see. */
async function openProgram(
  address: Address,
  path: string,
  words: readonly string[],
  addon: Addon,
): Promise<ConnectedStream | string> {
  const pair = addon.socketPair();
  if (typeof pair === "number") return getSystemErrorName(pair);
  const [ours, theirs] = pair.map((number) => new FileDescriptor(number, addon));
  if (ours === undefined || theirs === undefined) throw new Error("a pair has two descriptors");
  const [argv0, ...rest] = words;
  const child = spawn(path, rest, {
    ...(argv0 === undefined ? {} : { argv0 }),
    stdio: [theirs.number, theirs.number, "inherit"],
  });
  theirs.close();
  try {
    await once(child, "spawn");
    child.unref();
    return { address, descriptor: ours, socket: null };
  } catch (error) {
    ours.close();
    return `cannot run ${path}: ${errorNameOf(error)}`;
  }
}
