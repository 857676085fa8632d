/** Connects a client to the first address of a list that answers. */

import { once } from "node:events";
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
import { FileDescriptor } from "./file-descriptor.ts";
import { errorNameOf } from "./listening/listen-error.ts";

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
 * connected. Nothing has been sent on it.
 *
 * @throws AddressError if the list cannot be read; ConnectError if no address answers
 */
export async function connectAddress(
  addresses: string,
  { addon }: { readonly addon: Addon | null },
): Promise<ConnectedStream> {
  const attempts: { address: string; reason: string }[] = [];
  for (const address of parseAddresses(addresses)) {
    const result = await attempt(address, addon);
    if (typeof result !== "string") return result;
    attempts.push({ address: formatAddress(address), reason: result });
  }
  throw new ConnectError(attempts);
}

/** The stream, or why there is none. */
async function attempt(address: Address, addon: Addon | null): Promise<ConnectedStream | string> {
  let target: ConnectTarget;
  try {
    target = connectTargetOf(address);
  } catch (error) {
    if (error instanceof AddressError) return error.reason;
    throw error;
  }
  return addon === null
    ? connectStream(address, target)
    : connectDescriptor(address, target, addon);
}

async function connectDescriptor(
  address: Address,
  { name, isAbstract }: ConnectTarget,
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

async function connectStream(
  address: Address,
  { name, isAbstract }: ConnectTarget,
): Promise<ConnectedStream | string> {
  // libuv 1.46 (Node 20) pads abstract names to 108 bytes, which makes another name of each.
  if (isAbstract) return "the native addon is needed for abstract names";
  const socket = connect(name);
  try {
    await once(socket, "connect");
    return { address, descriptor: null, socket };
  } catch (error) {
    socket.destroy();
    return errorNameOf(error);
  }
}
