/** Hot path: all that a policy asks about a message, besides who sends and who receives it. */

import type { Header } from "../../wire/header.ts";
import { MessageType } from "../../wire/protocol.ts";
import type { MentionedStrings } from "./mentioned-strings.ts";

const { Signal: SIGNAL } = MessageType;

/** One message being judged; filled again for the next one. */
export class Question {
  /** 1 to 4. */
  type = 0;
  /** Ids as `MentionedStrings.reduce` gives them; 0 where the message has no such field. */
  path = 0;
  interface = 0;
  member = 0;
  errorName = 0;
  unixFds = 0;
  /** Has it a reply serial? */
  isReply = false;
  /** Is it a reply that its receiver waits for? */
  isRequested = false;
  /** A signal without destination? */
  isBroadcast = false;
  /** Does the receiver only overhear it? */
  isOverheard = false;

  ask(
    mentioned: MentionedStrings,
    header: Header,
    isRequested: boolean,
    isOverheard: boolean,
  ): void {
    this.type = header.type;
    this.path = mentioned.reduce(header.path);
    this.interface = mentioned.reduce(header.interface);
    this.member = mentioned.reduce(header.member);
    this.errorName = mentioned.reduce(header.errorName);
    this.unixFds = header.unixFds;
    this.isReply = header.replySerial !== 0;
    this.isRequested = isRequested;
    this.isBroadcast = header.destination === 0 && header.type === SIGNAL;
    this.isOverheard = isOverheard;
  }

  /** Everything that is not an id, in one number, for up to 2^16 descriptors. */
  get kind(): number {
    return (
      this.type |
      (this.isReply ? 8 : 0) |
      (this.isRequested ? 16 : 0) |
      (this.isBroadcast ? 32 : 0) |
      (this.isOverheard ? 64 : 0) |
      (this.unixFds << 8)
    );
  }
}
