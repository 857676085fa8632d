/** What a peer must not do: it ends that peer's connection and nothing else. */

/** Thrown by code that makes values of bytes; the hot path uses the numbers of `Violation` instead. */
export class ProtocolViolation extends Error {
  readonly code: string;
  /** Offset from the start of the message or handshake. */
  readonly byteOffset: number;

  constructor(code: string, message: string, byteOffset: number) {
    super(`${message} (byte ${byteOffset})`);
    this.name = "ProtocolViolation";
    this.code = code;
    this.byteOffset = byteOffset;
  }
}
