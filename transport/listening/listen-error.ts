/** Why there is no listening socket. */

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
