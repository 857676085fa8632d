/** Hot path: a rule about messages with its strings as ids, and whether it fits a message. */

import type { MentionedStrings } from "./mentioned-strings.ts";
import type { NameMentions } from "./name-mentions.ts";
import type { Question } from "./question.ts";
import { forgetsOthers, MOST_UNIX_FDS, type ReceiveRule, type SendRule } from "./rules.ts";

/** The number of no name pattern. */
export const ANY_NAME = -1;

/** A rule that says what may be sent or received; of `source` it keeps what is asked for each message. */
export class MessageRule {
  readonly source: SendRule | ReceiveRule;
  readonly allows: boolean;
  readonly isAboutSending: boolean;
  /** The mention of the receiver's name (sending) or of the sender's (receiving), or `ANY_NAME`. */
  readonly name: number;
  readonly interface: number;
  readonly #type: number;
  readonly #path: number;
  readonly #member: number;
  readonly #errorName: number;
  readonly #countsUnixFds: boolean;
  readonly #broadcast: boolean | null;

  constructor(source: SendRule | ReceiveRule, strings: MentionedStrings, names: NameMentions) {
    this.source = source;
    this.allows = source.allows;
    this.isAboutSending = source.subject === "send";
    this.interface = strings.mention(source.interface);
    this.#type = source.type ?? 0;
    this.#path = strings.mention(source.path);
    this.#member = strings.mention(source.member);
    this.#errorName = strings.mention(source.errorName);
    this.#countsUnixFds = source.minUnixFds > 0 || source.maxUnixFds < MOST_UNIX_FDS;
    this.#broadcast = source.subject === "send" ? source.broadcast : null;
    const sender = source.subject === "receive" ? source.sender : null;
    const pattern =
      source.subject === "send"
        ? source.destination
        : sender === null
          ? null
          : { name: sender, isPrefix: false };
    this.name = pattern === null ? ANY_NAME : names.numberOf(pattern);
  }

  /**
   * Does it fit a message to, or from, a peer that `name` fits? As in dbus-daemon a message without one of the fields
   * that it names is fitted all the same, except that a rule which allows an interface wants to see it.
   */
  fits(question: Question): boolean {
    if (this.#type !== 0 && this.#type !== question.type) return false;
    if (!this.#fitsWaysOfArriving(question)) return false;
    if (this.#path !== 0 && question.path !== 0 && question.path !== this.#path) return false;
    if (this.interface !== 0) {
      if (question.interface === 0 ? this.allows : question.interface !== this.interface) {
        return false;
      }
    }
    if (this.#member !== 0 && question.member !== 0 && question.member !== this.#member) {
      return false;
    }
    if (this.#errorName !== 0 && question.errorName !== 0) {
      if (question.errorName !== this.#errorName) return false;
    }
    if (this.#broadcast !== null && this.#broadcast !== question.isBroadcast) return false;
    if (!this.#countsUnixFds) return true;
    const { minUnixFds, maxUnixFds } = this.source;
    return question.unixFds >= minUnixFds && question.unixFds <= maxUnixFds;
  }

  /** Overheard messages and replies, by the rules of `eavesdrop` and `requestedReply`. */
  #fitsWaysOfArriving(question: Question): boolean {
    const { eavesdrop, requestedReply } = this.source;
    if (!this.isAboutSending) {
      if (this.allows ? question.isOverheard && !eavesdrop : !question.isOverheard && eavesdrop) {
        return false;
      }
    }
    if (!question.isReply) return true;
    return this.allows
      ? question.isRequested || !requestedReply || eavesdrop
      : !question.isRequested || requestedReply;
  }

  get overridesAll(): boolean {
    return forgetsOthers(this.source);
  }

  /** Does it fit every message whatsoever, and is silent about it? */
  get allowsEverything(): boolean {
    const { source } = this;
    return (
      this.allows &&
      this.overridesAll &&
      this.#broadcast === null &&
      !this.#countsUnixFds &&
      source.eavesdrop &&
      !(source.subject === "send" && source.logs)
    );
  }
}
