/** Why there is no listening socket. */

import { getSystemErrorName } from "node:util";
import { type Address, formatAddress } from "../address.ts";

/** The message is one line that names the address. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: "ONEHOP_ADDRESS_IN_USE" | "ONEHOP_LISTEN_FAILED";
  readonly address: string;

  constructor(
    code: "ONEHOP_ADDRESS_IN_USE" | "ONEHOP_LISTEN_FAILED",
    address: string,
    reason: string,
  ) {
    super(`cannot listen on ${address}: ${reason}`);
    this.code = code;
    this.address = address;
  }
}

/** The error for what the system refused: `error` is -errno, an errno's name, or null for neither. */
export function failure(
  address: Address,
  reason: string,
  error: number | string | null,
): ListenError {
  const name = typeof error === "number" ? getSystemErrorName(error) : error;
  return new ListenError(
    "ONEHOP_LISTEN_FAILED",
    formatAddress(address),
    name === null ? reason : `${reason}: ${name}`,
  );
}

/**
 * The errno's name in what a function of node:fs or node:net has thrown; anything else is thrown on.
 *
 * By its code and not by its class: errors of Node's own may come from another realm.
 */
export function errorNameOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) throw error;
  return String(error.code);
}
