/** Hot path: what a message has to be before it is routed: well-formed, and with all its descriptors. */

import type { Stage } from "../transport/stage.ts";
import { HEADER_PLAIN, Header, type HeaderViolation, headerViolationText } from "../wire/header.ts";
import type { Strings } from "../wire/intern.ts";
import { Memory, SLACK_BYTES } from "../wire/memory.ts";
import { rewriteHeader } from "../wire/stitch.ts";
import { BodyValidator, type BodyViolation, bodyViolationText } from "../wire/validate.ts";
import type { Endpoint } from "./endpoint.ts";
import type { RoutingLimits } from "./limits.ts";

/** The message in hand, taken from what a peer has sent. */
export class Intake {
  readonly header: Header;
  /** The descriptor set of the message in hand, or 0. */
  descriptorSet = 0;
  readonly #strings: Strings;
  readonly #stage: Stage;
  readonly #limits: RoutingLimits;
  readonly #validator: BodyValidator = new BodyValidator();

  constructor(strings: Strings, stage: Stage, limits: RoutingLimits) {
    this.header = new Header(stage.arena);
    this.#strings = strings;
    this.#stage = stage;
    this.#limits = limits;
  }

  /** Takes the whole message at `offset` in hand; false if it is a violation, which ends its sender's connection. */
  take(sender: Endpoint, memory: Memory, offset: number, byteLength: number): boolean {
    const { header } = this;
    let parsed = header.parse(this.#strings, memory, offset);
    if (parsed > HEADER_PLAIN) parsed = this.#rewrite(byteLength);
    if (parsed < 0) {
      // parse and rewriteHeader return no other negative numbers
      const text = headerViolationText(parsed as HeaderViolation);
      sender.connection.fail(text, header.violationOffset);
      return false;
    }
    if (header.bodyLength !== 0 || header.signature !== 0) {
      const invalid = this.#validator.validate(
        header.memory,
        header.bodyOffset,
        header.bodyLength,
        this.#strings.textOf(header.signature),
        header.isLittleEndian,
      );
      if (invalid !== 0) {
        // validate returns no other numbers
        const text = bodyViolationText(invalid as BodyViolation);
        sender.connection.fail(text, this.#validator.offset - header.offset);
        return false;
      }
    }
    this.descriptorSet = 0;
    return header.unixFds === 0 || this.#takeDescriptors(sender);
  }

  /** Takes a message in hand again that was kept; it was looked at when it came. */
  takeKept(memory: Memory, descriptorSet: number): void {
    this.header.parse(this.#strings, memory, 0);
    this.descriptorSet = descriptorSet;
  }

  /** Rewrites the message in hand without SENDER and unknown fields, and parses what came of it. */
  #rewrite(byteLength: number): number {
    const { header } = this;
    const { memory, bodyOffset, bodyLength } = header;
    const stage = this.#stage;
    const isLong = byteLength > stage.scratchMessageBytes;
    const target = isLong ? new Memory(new ArrayBuffer(byteLength + SLACK_BYTES)) : stage.arena;
    const at = isLong ? 0 : stage.scratch(byteLength);
    const headerLength = rewriteHeader(header, target, at);
    if (headerLength < 0) return headerLength;
    target.bytes.set(memory.bytes.subarray(bodyOffset, bodyOffset + bodyLength), at + headerLength);
    return header.parse(this.#strings, target, at);
  }

  /** Takes the descriptors that the message in hand announces; false if it is a violation. */
  #takeDescriptors(sender: Endpoint): boolean {
    const { unixFds } = this.header;
    const { connection } = sender;
    if (!connection.passesDescriptors) {
      connection.fail(
        `the message announces ${unixFds} descriptors without having negotiated them`,
        0,
      );
      return false;
    }
    const most = this.#limits.maxMessageUnixFds;
    if (unixFds > most) {
      connection.fail(`the message announces ${unixFds} descriptors, more than ${most}`, 0);
      return false;
    }
    const set = this.#stage.takeDescriptors(connection, unixFds);
    if (set < 0) {
      connection.fail(`the message announces ${unixFds} descriptors, more than came with it`, 0);
      return false;
    }
    this.descriptorSet = set;
    return true;
  }
}
