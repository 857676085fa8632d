/** More in one turn than the table of operations holds. */

import { expect, test } from "@jest/globals";
import type { Poller } from "../../native/binding.ts";
import { Connection, type NativeLink } from "../../transport/connection.ts";
import { Stage } from "../../transport/stage.ts";

const credentials = {
  processId: null,
  userId: null,
  groupId: null,
  groups: null,
  securityLabel: null,
  processDescriptor: null,
};
const owner = {
  authenticated() {},
  message() {},
  closed() {},
  turnEnded() {},
  descriptorsWait() {},
  messagesDropped() {},
};
const options = { guid: "0".repeat(32), mechanisms: [], maxMessageBytes: 1 };

/** A socket that takes nothing: all that is flushed to a slot stays unsent. */
class FullSockets implements NativeLink {
  readonly unsent: Map<number, number> = new Map();
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Reads operations as native/binding.ts describes them. */
  flush(wordCount: number): void {
    const words = this.#stage.operations;
    for (let at = 0; at < wordCount; ) {
      const first = words[at] ?? 0;
      const length = (words[at + 4] ?? 0) + (words[at + 6] ?? 0) + (words[at + 9] ?? 0);
      const slots = first >= 0 ? [first] : [...words.subarray(at + 11, at + 11 - first)];
      for (const slot of slots) this.unsent.set(slot, this.unsentBytes(slot) + length);
      at += 11 + (first >= 0 ? 0 : -first);
    }
  }

  unsentBytes(slot: number): number {
    return this.unsent.get(slot) ?? 0;
  }

  unsentFrom(): number {
    return 0;
  }

  unsentMessages(): number {
    return 0;
  }

  sendText(): void {}
  setReading(): void {}
  close(): void {}
  credentials(): typeof credentials {
    return credentials;
  }
}

test("each byte counts once, whenever the operations of a turn are flushed early", () => {
  const stage = new Stage(64);
  const sockets = new FullSockets(stage);
  // Only `flush` of the poller is used by what is tested here.
  stage.usePoller(sockets as unknown as Poller);
  const connections = [0, 1, 2].map(
    (index) => new Connection(index, credentials, index, sockets, "test", owner, options),
  );
  const sent = [0, 0, 0];
  for (let n = 0; n < 20_000; n++) {
    stage.message(n + 1, stage.arena, 0, 24, 0, 8, stage.arena, 0, n % 7, 0);
    for (const [index, connection] of connections.entries()) {
      if (index > 0 && n % (index + 1) !== 0) continue;
      stage.to(connection);
      sent[index] = (sent[index] ?? 0) + 32 + (n % 7);
    }
    if (n % 1999 === 0) {
      expect(connections.map((each) => each.queuedBytes(stage.turn))).toEqual(sent);
    }
  }
  stage.flush();
  expect(connections.map((each) => each.queuedBytes(stage.turn))).toEqual(sent);
});
