/** Which groups a peer is in. */

import { expect } from "@jest/globals";
import type { Client } from "./support/client.ts";
import { conformance, notRun, type Scene, useBus } from "./support/conformance.ts";
import type { Identity } from "./support/link.ts";
import type { Variant } from "./support/wire.ts";

useBus({ configuration: "all-users.conf" });

const NOBODY = 65534;
const CREDENTIALS = "Message Bus Messages: GetConnectionCredentials";

async function credentialsOf(client: Client, name: string): Promise<Map<string, Variant>> {
  const reply = await client.ask("GetConnectionCredentials", "s", name);
  return new Map(reply.arguments[0] as [string, Variant][]); // signature "a{sv}"
}

async function groupsOf(scene: Scene, identity: Identity): Promise<unknown> {
  const peer = await scene.peer({}, identity);
  return (await credentialsOf(peer, peer.uniqueName)).get("UnixGroupIDs");
}

/** A case about the groups of a process; only root can be somebody else. */
function groups(sentence: string, identity: Identity, expected: readonly number[]): void {
  conformance(sentence, { spec: CREDENTIALS }, async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    expect(await groupsOf(scene, identity)).toEqual({ signature: "au", value: expected });
  });
}

const many = Array.from({ length: 300 }, (_, index) => 1_000_000 - index * 7);
const ascending = (all: readonly number[]): number[] => [...all].sort((a, b) => a - b);

groups(
  "A process without supplementary groups has its main group",
  { uid: NOBODY, gid: 4711, groups: [] },
  [4711],
);
groups(
  "The main group takes its place among the others",
  { uid: NOBODY, gid: 50, groups: [100, 4] },
  [4, 50, 100],
);
groups(
  "Hundreds of groups are all told, in ascending order",
  { uid: NOBODY, gid: 3, groups: many },
  ascending([3, ...many]),
);
groups(
  "Groups are numbers of 32 bits, in the order of numbers without a sign",
  { uid: NOBODY, gid: 1, groups: [0xfffffffe, 0x80000000, 0x7fffffff] },
  [1, 0x7fffffff, 0x80000000, 0xfffffffe],
);
groups(
  "The group of root is a group like others",
  { uid: NOBODY, gid: NOBODY, groups: [0, 65533] },
  [0, 65533, NOBODY],
);
conformance(
  "The groups are those that a process had when it connected, whoever asks, by whichever name",
  { spec: CREDENTIALS },
  async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    const asker = await scene.client();
    const peer = await scene.peer({}, { uid: NOBODY, gid: 12, groups: [13] });
    await peer.requestName("org.example.Grouped");
    for (const name of [peer.uniqueName, "org.example.Grouped"]) {
      const found = await credentialsOf(asker, name);
      expect(found.get("UnixGroupIDs")).toEqual({ signature: "au", value: [12, 13] });
      expect(found.get("UnixUserID")).toEqual({ signature: "u", value: NOBODY });
    }
  },
);
