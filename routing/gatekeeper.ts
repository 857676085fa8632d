/** Interface: may a message pass from its sender to a receiver? */

import type { Header } from "../wire/header.ts";
import type { Endpoint } from "./endpoint.ts";

/**
 * Asked for every message on a bus where not everything is allowed; where everything is, there is none, and
 * nothing is asked. Monitors are not asked about: they see everything.
 */
export interface Gatekeeper {
  /**
   * May the message pass from `sender` to `receiver`, whom it names as its destination? Null is the bus itself.
   * `isRequested`: it is a reply that the receiver waits for.
   */
  mayPass(
    sender: Endpoint,
    receiver: Endpoint | null,
    header: Header,
    isRequested: boolean,
  ): boolean;
  /** What follows are questions of `mayHear` about this message, and nothing else. */
  beginCopies(header: Header): void;
  /** May `receiver` have a copy of a message that is not addressed to it? A null sender is the bus itself. */
  mayHear(sender: Endpoint | null, receiver: Endpoint, header: Header): boolean;
  /** May `receiver` be told something by the bus itself? */
  mayBeTold(receiver: Endpoint, header: Header): boolean;
}
