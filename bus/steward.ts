/** How many may be here, how much each user may have, and how long things may take: the limits of the bus. */

import type { Endpoint } from "../routing/endpoint.ts";
import type { PendingReply, ReplyTable } from "../routing/replies.ts";
import type { Connection } from "../transport/connection.ts";
import type { Credentials } from "../transport/credentials.ts";
import type { Stage } from "../transport/stage.ts";
import { Accounting } from "./accounting.ts";
import { Admission } from "./admission.ts";
import { Complaints } from "./complaints.ts";
import { Deadlines } from "./deadlines.ts";
import type { Limits } from "./limits.ts";
import type { Log } from "./log.ts";
import { ReplyTimeouts } from "./reply-timeouts.ts";

/** What the bus does when a time is over, and when others may be let in. */
export interface StewardHost {
  replies(): ReplyTable;
  /** No reply has come in time. */
  replyIsLate(pending: PendingReply): void;
  /** Something was said between two messages. */
  endTurn(): void;
  /** `isAdmitting` may be another. */
  admissionChanged(): void;
}

export class Steward {
  readonly accounting: Accounting;
  readonly admission: Admission;
  readonly #complaints: Complaints;
  readonly #limits: Limits;
  readonly #host: StewardHost;
  readonly #handshakes: Deadlines;
  /** Connections with descriptors that no message has claimed. */
  readonly #unclaimed: Deadlines;
  #replyTimeouts: ReplyTimeouts | null = null;

  constructor(limits: Limits, stage: Stage, log: Log, host: StewardHost) {
    this.#limits = limits;
    this.#host = host;
    this.#complaints = new Complaints(log);
    this.accounting = new Accounting(limits, stage, this.#complaints, ({ index }) =>
      host.replies().countOf(index),
    );
    this.admission = new Admission(limits, this.accounting.supplies);
    this.#handshakes = new Deadlines(
      () => limits.authTimeoutMs,
      (connection) =>
        this.#expire(
          connection,
          `it did not finish the handshake within ${limits.authTimeoutMs} ms`,
        ),
    );
    this.#unclaimed = new Deadlines(
      () => limits.pendingFdTimeoutMs,
      (connection) =>
        this.#expire(
          connection,
          `descriptors that it sent waited for their message for ${limits.pendingFdTimeoutMs} ms (pending_fd_timeout)`,
        ),
    );
  }

  /** From now on replies may be late. */
  begin(): void {
    const host = this.#host;
    this.#replyTimeouts = new ReplyTimeouts(this.#limits, host.replies(), host);
  }

  get handshakeCount(): number {
    return this.#handshakes.size;
  }

  /** May a connection be accepted? If not the log is told why. */
  admits({ processId, userId }: Credentials, origin: string): boolean {
    const user = this.accounting.supplies.userOf(userId);
    const refusal = this.admission.refusalOf(user);
    if (refusal === null) return true;
    this.#complaints.about(
      "connections",
      user.userId,
      () => `connection of pid ${processId ?? "unknown"} refused at ${origin}: ${refusal}`,
    );
    return false;
  }

  entered(endpoint: Endpoint): void {
    this.admission.entered();
    this.accounting.entered(endpoint);
    this.#handshakes.begin(endpoint.connection);
  }

  /**
   * It has authenticated. A connection is the user's whom the kernel knows, whoever it authenticates as; where nobody
   * vouched for it, it is now the latter's.
   */
  recognized(endpoint: Endpoint): void {
    const { accepted, credentials } = endpoint.connection;
    if (accepted.userId === null) this.accounting.assign(endpoint, credentials.userId);
  }

  /** Why `endpoint` may not say Hello now, or null. */
  refusalOfHello(endpoint: Endpoint): string | null {
    const refusal = this.admission.refusalOfHello(this.accounting.supplies.payerOf(endpoint));
    if (refusal !== null) {
      const { userId } = endpoint.payer;
      const text = (): string => `Hello of ${endpoint.description} refused: ${refusal}`;
      this.#complaints.about("connections", userId, text);
    }
    return refusal;
  }

  /** It has said Hello, or comes back from a snapshot in which it had. */
  registered(endpoint: Endpoint): void {
    if (endpoint.isCompleted) return;
    this.#handshakes.end(endpoint.connection);
    this.accounting.registered(endpoint);
    this.#host.admissionChanged();
  }

  left(endpoint: Endpoint): void {
    this.#handshakes.end(endpoint.connection);
    this.#unclaimed.end(endpoint.connection);
    this.accounting.left(endpoint);
    this.admission.left(endpoint.index);
    this.#host.admissionChanged();
  }

  /**
   * `count` descriptors of this peer wait for their messages, `before` did. As in dbus-daemon its time begins again
   * with every message that claims some, and root has all the time it wants.
   */
  descriptorsWait(connection: Connection, count: number, before: number): void {
    if (count === 0) this.#unclaimed.end(connection);
    else if (connection.credentials.userId !== 0 && (before === 0 || count < before)) {
      this.#unclaimed.begin(connection);
    }
  }

  /** What `sender` says does not reach `receiver`: the log is told, now and then. */
  shareSpent(sender: Endpoint, receiver: Endpoint): void {
    const { userId } = sender.payer;
    this.#complaints.about(
      "max_outgoing_bytes",
      userId,
      () =>
        `messages of ${sender.description} for ${receiver.description}, which does not read, are refused: user ${userId} has its fair share of what may wait there (max_outgoing_bytes: ${this.#limits.maxOutgoingBytes})`,
    );
  }

  /** As dbus-daemon, the bus goes on without them: CVE-2014-3532. */
  messagesDropped(receiver: Endpoint, count: number): void {
    this.#complaints.about(
      "descriptors in flight",
      receiver.payer.userId,
      () =>
        `${count} ${count === 1 ? "message" : "messages"} with descriptors for ${receiver.description} lost: the kernel lets the bus's user have no more of them in flight (ETOOMANYREFS)`,
    );
  }

  limitsChanged(): void {
    this.#handshakes.limitsChanged();
    this.#unclaimed.limitsChanged();
    this.#replyTimeouts?.limitsChanged();
    this.accounting.limitsChanged();
    this.#host.admissionChanged();
  }

  stop(): void {
    this.#handshakes.stop();
    this.#unclaimed.stop();
    this.#replyTimeouts?.stop();
  }

  #expire(connection: Connection, reason: string): void {
    connection.close(reason);
    this.#host.endTurn();
  }
}
