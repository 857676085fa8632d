/** Small limits, and what peers do until they meet them. */

import type { Random } from "../fuzz/random.ts";

export type Limits = Readonly<Record<string, number>>;

/** What one peer does. Peers are counted from 0; there may be none of that number, and then nothing is done. */
export type Step =
  | { readonly does: "connect" | "leave" | "answer"; readonly peer: number }
  | { readonly does: "own" | "release"; readonly peer: number; readonly name: string }
  | { readonly does: "match" | "unmatch"; readonly peer: number; readonly rule: string }
  | { readonly does: "call"; readonly peer: number; readonly callee: number }
  | { readonly does: "say"; readonly peer: number; readonly byteLength: number };

const NAMES = ["org.example.A", "org.example.B", "org.example.C", "org.example.D", "org.example.E"];
const RULES = ["", "type='signal'", "member='M'", "arg0='a'", "interface='org.example.I'"];
const PEERS = 6;
/** dbus-daemon takes nothing smaller for a message: a Hello has to pass. */
const SMALLEST_MESSAGE = 512;
const STEPS = 60;

export function randomLimits(random: Random): Limits {
  const between = (least: number, most: number): number => least + random.below(most - least + 1);
  return {
    max_names_per_connection: between(1, 5),
    max_match_rules_per_connection: between(1, 4),
    max_replies_per_connection: between(1, 4),
    max_connections_per_user: between(3, 8),
    max_completed_connections: between(3, 8),
    max_message_size: between(SMALLEST_MESSAGE, 2000),
  };
}

/** The first steps bring peers. */
export function randomSteps(random: Random): Step[] {
  const first = [0, 1].map((peer): Step => ({ does: "connect", peer }));
  return [...first, ...Array.from({ length: STEPS }, () => randomStep(random))];
}

function randomStep(random: Random): Step {
  const peer = random.below(PEERS);
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return { does: "connect", peer };
    case 3:
      return { does: "leave", peer };
    case 4:
    case 5:
      return { does: "own", peer, name: random.pick(NAMES) };
    case 6:
      return { does: "release", peer, name: random.pick(NAMES) };
    case 7:
      return { does: "match", peer, rule: random.pick(RULES) };
    case 8:
      return { does: random.pick(["match", "unmatch"]), peer, rule: random.pick(RULES) };
    case 9:
      return { does: "answer", peer };
    case 10:
      return { does: "say", peer, byteLength: random.below(2200) };
    default:
      return { does: "call", peer, callee: random.below(PEERS) };
  }
}

/** A session bus on which everything is allowed, with these limits. */
export function configurationOf(limits: Limits): string {
  const elements = Object.entries(limits).map(
    ([name, value]) => `<limit name="${name}">${value}</limit>`,
  );
  return `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
    ${elements.join("\n")}
    <policy context="default">
      <allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
    </policy></busconfig>`;
}
