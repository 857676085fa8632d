/** Lines of programs for the bus target. */

import { fieldOf, putTogether } from "../message-parts.ts";
import type { Random } from "../random.ts";
import {
  DRIVER,
  INTERFACES,
  MEMBERS,
  PATHS,
  RULE_WORDS,
  randomRule,
  TEXTS,
  WELL_KNOWN_NAMES,
} from "./rule-words.ts";

const PEERS = 6;
const DRIVER_MEMBERS = [
  ..."Hello,RequestName,ReleaseName,AddMatch,RemoveMatch,GetId,ListNames,GetNameOwner".split(","),
  ..."NameHasOwner,ListQueuedOwners,GetConnectionCredentials,UpdateActivationEnvironment".split(
    ",",
  ),
  ..."BecomeMonitor,GetStats,GetConnectionStats,GetAllMatchRules,Get,GetAll,Set,Introspect".split(
    ",",
  ),
  ..."Ping,GetMachineId,StartServiceByName,ReloadConfig,GetConnectionUnixProcessID".split(","),
];
const SIGNATURES = ["", "s", "su", "ss", "a{ss}", "asu", "ssv", "v", "u", "a{sv}"];

export const BUS_WORDS: readonly string[] = [
  ...RULE_WORDS,
  ..."join,lurk,leave,own,release,match,unmatch,call,signal,raw,split,pause,resume,mute".split(","),
  ..."+,0,1,2,3,4,5,7,noreply,6c,42,00,01,ff,ffffffff,00000000".split(","),
];

export function newBusLine(random: Random): string {
  const together = random.below(3) === 0 ? "+" : "";
  return `${together}${newStep(random, random.below(PEERS))}`;
}

function newStep(random: Random, peer: number): string {
  const name = random.pick(WELL_KNOWN_NAMES);
  switch (random.below(20)) {
    case 0:
    case 1:
    case 2:
      return `join ${peer}`;
    case 3:
      return `${random.pick(["leave", "leave", "lurk"])} ${peer}`;
    case 4:
    case 5:
      return `own ${peer} ${name} ${random.below(8)}`;
    case 6:
      return `release ${peer} ${name}`;
    case 7:
    case 8:
    case 9:
      return `match ${peer} ${randomRule(random)}`;
    case 10:
      return `unmatch ${peer} ${randomRule(random)}`;
    case 11:
    case 12:
    case 13: {
      const to = random.pick([random.below(PEERS), random.below(PEERS), name, DRIVER, "not.There"]);
      return `call ${peer} ${to}${random.below(4) === 0 ? " noreply" : ""}`;
    }
    case 14:
      return `${random.pick(["pause", "resume", "mute"])} ${peer}`;
    case 15:
      return `split ${peer} ${random.pick([1, 3, 7, 16, 100, 65536])}`;
    case 16:
    case 17:
      return `raw ${peer} ${Buffer.from(rawMessage(random)).toString("hex")}`;
    default:
      return `signal ${peer} ${random.pick(PATHS)} ${random.pick(["i.a", "i.b"])} ${random.pick(MEMBERS)} ${random.pick(TEXTS)}`;
  }
}

/** A message that may be anything: forged, for the driver, of no known type. */
function rawMessage(random: Random): Uint8Array {
  const little = random.below(3) > 0;
  const isForDriver = random.below(2) === 0;
  const peer = `:1.${random.below(40)}`;
  const signature = random.pick(SIGNATURES);
  const fields = [
    fieldOf(1, "o", random.pick(PATHS), little),
    fieldOf(2, "s", random.pick(INTERFACES), little),
    fieldOf(3, "s", random.pick(isForDriver ? DRIVER_MEMBERS : MEMBERS), little),
    fieldOf(5, "u", 1 + random.below(6), little),
    fieldOf(4, "s", "org.example.Error", little),
    ...(signature === "" ? [] : [fieldOf(8, "g", signature, little)]),
    fieldOf(6, "s", isForDriver ? DRIVER : random.pick([peer, ...WELL_KNOWN_NAMES]), little),
    fieldOf(7, "s", random.pick([peer, DRIVER]), little),
    fieldOf(9, "u", random.below(3), little),
    fieldOf(random.pick([0, 10, 77]), random.pick(["s", "o"]), "/x", little),
  ];
  // Most of the odd ones are left out, mostly.
  const kept = fields.filter((_field, i) => random.below(i < 3 ? 20 : 3) > 0);
  return putTogether({
    order: little ? 0x6c : 0x42,
    type: random.pick([1, 1, 1, 2, 3, 4, 5]),
    flags: random.below(8),
    version: 1,
    serial: 1 + random.below(9),
    fields: kept,
    body: Buffer.from(Array.from({ length: random.pick([0, 0, 4, 16]) }, () => random.below(3))),
  });
}
