/** Who takes part in the cases of a policy, and what their messages are about. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findKnownUser } from "../../compat/dbus-daemon/accounts.ts";
import type { User } from "./peers.ts";

export const DRIVER = "org.freedesktop.DBus";
const PEER = `${DRIVER}.Peer`;

/** A peer, in the order of its unique name; its place in the cast is its number in cases. */
export interface Actor extends User {
  readonly names: readonly string[];
  readonly negotiateFds: boolean;
  /** The match rule that it has. */
  readonly rule: string;
}

export interface World {
  /** The last one overhears everything. */
  readonly cast: readonly Actor[];
  /** Well-known names that messages are sent to. */
  readonly names: readonly string[];
  /** One that can be started, and whose program ends at once; null if there is none. */
  readonly activatable: string | null;
  /** Names that everybody tries to own. */
  readonly ownNames: readonly string[];
  readonly interfaces: readonly string[];
  readonly members: readonly string[];
  readonly paths: readonly string[];
  readonly errors: readonly string[];
  readonly driverInterfaces: readonly string[];
  readonly driverMembers: readonly string[];
  /** Who tries to connect, besides the cast. */
  readonly callers: readonly User[];
}

/** Names that peers have, or wait for, or that can be started. */
export const NAMES = {
  first: "com.example.First",
  second: "com.example.Second",
  below: "com.example.sub.Below",
  activatable: "com.example.Activatable",
  missing: "com.example.Missing",
} as const;

const SIGNALS = "type='signal'";

export const RANDOM_WORLD: World = {
  cast: [
    { uid: 0, gid: 0, groups: [], names: [NAMES.first], negotiateFds: true, rule: SIGNALS },
    {
      ...{ uid: 1, gid: 1, groups: [], negotiateFds: true, rule: SIGNALS },
      names: [NAMES.second, NAMES.first],
    },
    { uid: 6, gid: 12, groups: [4], names: [NAMES.below], negotiateFds: true, rule: SIGNALS },
    { uid: 5, gid: 60, groups: [7, 4], names: [], negotiateFds: false, rule: SIGNALS },
    {
      ...{ uid: 0, gid: 0, groups: [4, 12], names: [], negotiateFds: true },
      rule: "eavesdrop='true'",
    },
  ],
  names: Object.values(NAMES),
  activatable: NAMES.activatable,
  ownNames: ["org.own", "org.own.A", "org.own.A.B", "org.owner", "net.own.A"],
  interfaces: ["com.example.I", "com.example.J"],
  members: ["Alpha", "Beta"],
  paths: ["/com/example/a", "/com/example/b"],
  errors: ["com.example.Error.X", "com.example.Error.Y"],
  driverInterfaces: [DRIVER],
  driverMembers: ["ListNames", "NameHasOwner", "GetNameOwner"],
  callers: [
    ...[7, 8, 9, 10, 13, 33].map((uid) => ({ uid, gid: uid, groups: [] })),
    { uid: 7, gid: 8, groups: [9, 33] },
    { uid: 4_999_999, gid: 7, groups: [] },
  ],
};

/** The policies that are installed on this machine for its system bus, and those that they are about. */
export function installedWorld(folder: string): World | null {
  const texts = readdirSync(folder)
    .filter((file) => file.endsWith(".conf"))
    .map((file) => readFileSync(join(folder, file), "utf8"));
  const all = (pattern: RegExp): string[] => [
    ...new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name ?? ""))),
  ];
  const owned = all(/<allow own="([^"]*)"/g);
  const [first, second] = owned.filter((name) => !name.includes("PolicyKit"));
  if (first === undefined || second === undefined) return null;
  const polkitd = findKnownUser("polkitd") ?? 1;
  const plain = { groups: [], negotiateFds: true, rule: SIGNALS };
  return {
    ...RANDOM_WORLD,
    cast: [
      { ...plain, uid: 0, gid: 0, names: ["org.freedesktop.login1", "org.freedesktop.systemd1"] },
      { ...plain, uid: polkitd, gid: polkitd, names: [] },
      { ...plain, uid: 1, gid: 1, names: [] },
      { ...plain, uid: 0, gid: 0, names: ["org.freedesktop.hostname1"] },
      { ...plain, uid: 0, gid: 0, names: [], rule: "eavesdrop='true'" },
    ],
    names: owned,
    activatable: null,
    ownNames: owned.filter((name) => !/login1|systemd1|hostname1/.test(name)),
    // dbus-daemon's library takes what has the interface Peer and no destination for itself.
    interfaces: [...all(/send_interface="([^"]*)"/g), "com.example.I"].filter(
      (name) => name !== PEER,
    ),
    members: [...all(/send_member="([^"]*)"/g), "Alpha"].slice(0, 40),
    driverInterfaces: [
      ...[DRIVER, `${DRIVER}.Introspectable`, `${DRIVER}.Debug.Stats`, `${DRIVER}.Monitoring`],
      ...[`${DRIVER}.Properties`, PEER],
    ],
    driverMembers: ["ListNames", "NameHasOwner", "GetStats", "Introspect", "Ping"],
    callers: [],
  };
}
