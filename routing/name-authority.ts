/** Who decides about names: this bus alone, or somebody who has to be asked first. */

import type { Endpoint } from "./endpoint.ts";

/** What became of a request; the numbers are the specification's reply codes. */
export interface NameDecision {
  readonly reply: number;
  /** The change of primary owner that it caused, if any. */
  readonly change: NameChange | null;
}

/** A well-known name has another primary owner, by endpoint; null is nobody. */
export interface NameChange {
  readonly name: string;
  readonly oldOwner: Endpoint | null;
  readonly newOwner: Endpoint | null;
}

/**
 * Answers through `answer`, at once or later, exactly once. While the answer is outstanding the
 * asking peer's input waits, so that its messages stay in order; nobody else waits.
 */
export interface NameAuthority {
  hello(endpoint: Endpoint, answer: (uniqueName: string) => void): void;
  request(
    endpoint: Endpoint,
    name: string,
    flags: number,
    answer: (decision: NameDecision) => void,
  ): void;
  release(endpoint: Endpoint, name: string, answer: (decision: NameDecision) => void): void;
}
