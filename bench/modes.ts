/** The modes of the whole-system bench: what the load generator does, and what is wanted. */

/** One kind of load, and how bus and load share the processors. */
export interface Mode {
  readonly name: string;
  readonly title: string;
  /** Arguments of dbload, without address, times and process ids. */
  readonly load: readonly string[];
  /** Whether the load generator runs on the processor of the bus. */
  readonly sharesCpu: boolean;
  /** Do several users connect? Then limits are dbus-daemon's built-in ones, else they are out of the way. */
  readonly isShared: boolean;
  /** What is compared: CPU time per message, or the 99th percentile of round trips. */
  readonly compares: "cpu" | "p99";
  /** Is it for onehop only, since other buses take too long or too much? */
  readonly isOursAlone: boolean;
  /** How the bare relay joins the connections of this mode; null where it cannot stand in for a bus. */
  readonly relay: "pair" | "fanout" | null;
  /** Largest wanted ratio of what is compared to dbus-broker's; null where none is set. */
  readonly target: number | null;
  /** Smallest wanted ratio of messages per second to dbus-broker's; null where none is set. */
  readonly throughputTarget: number | null;
  /** Largest wanted ratio of p50 and of p99 to dbus-broker's; null where none is set. */
  readonly timesTarget: number | null;
}

export const MODES: readonly Mode[] = [
  mode("pingpong-two-cpus", "ping-pong, two CPUs", "pingpong", "pair", 1),
  {
    ...mode("pingpong-one-cpu", "ping-pong, all on one CPU", "pingpong", "pair", 0.8),
    ...{ sharesCpu: true, timesTarget: 1 },
  },
  fast(
    mode("pipeline-1x64", "pipeline, 1 pair × 64", "pipeline --pairs 1 --window 64", "pair", 0.35),
  ),
  fast(
    mode(
      "pipeline-coalesced",
      "same, clients coalesce writes",
      "pipeline --pairs 1 --window 64 --coalesce",
      "pair",
      0.35,
    ),
  ),
  fast(
    mode("pipeline-8x16", "pipeline, 8 pairs × 16", "pipeline --pairs 8 --window 16", "pair", 0.4),
  ),
  fast(mode("fanout-1", "fan-out to 1", "fanout --subs 1", "fanout", 0.35)),
  fast(mode("fanout-10", "fan-out to 10", "fanout --subs 10", "fanout", 0.1)),
  fast(mode("fanout-100", "fan-out to 100", "fanout --subs 100", "fanout", 0.05)),
  mode("rules-1000-distinct", "+ 1,000 distinct rules", "rules --rules 1000"),
  mode("rules-10000-distinct", "+ 10,000 distinct rules", "rules --rules 10000", null, 0.3),
  mode(
    "rules-1000-same",
    "+ 1,000 rules, one interface",
    "rules --rules 1000 --rule-shape same-iface",
  ),
  mode(
    "rules-10000-same",
    "+ 10,000 rules, one interface",
    "rules --rules 10000 --rule-shape same-iface",
    null,
    0.01,
  ),
  mode("connect", "connect, Hello, close", "connect", null, 1.05),
  mode("payload-4k", "payload 4 KiB", "payload --body 4096", "pair", 0.9),
  mode("payload-64k", "payload 64 KiB", "payload --body 65536", "pair", 0.9),
  mode("payload-1m", "payload 1 MiB", "payload --body 1048576", "pair", 1.1),
  flood("none", "--flooders 0", null),
  flood("driver", "--flood-kind driver"),
  flood("slow", "--flood-kind slow"),
  flood("signals", "--flood-kind signals"),
  flood("unknown", "--flood-kind unknown"),
  flood("mix", "--flood-kind mix"),
];

/**
 * The modes that `names` select, in the order of the table: a name selects the mode of that name
 * and all whose name goes on with a hyphen (`fanout` selects `fanout-1`, `fanout-10`, …).
 *
 * @returns the modes, or the first name that selects nothing
 */
export function selectModes(names: readonly string[]): readonly Mode[] | string {
  const unknown = names.find((name) => !MODES.some((mode) => isSelectedBy(mode, name)));
  if (unknown !== undefined) return unknown;
  return MODES.filter((mode) => names.some((name) => isSelectedBy(mode, name)));
}

function isSelectedBy(mode: Mode, name: string): boolean {
  return mode.name === name || mode.name.startsWith(`${name}-`);
}

/** A mode that compares CPU time, with bus and load on CPUs of their own. `load` is split at spaces. */
export function mode(
  name: string,
  title: string,
  load: string,
  relay: Mode["relay"] = null,
  target: number | null = null,
): Mode {
  return {
    ...{ name, title, load: load.split(" "), relay, target },
    ...{ sharesCpu: false, isShared: false, isOursAlone: false, compares: "cpu" },
    ...{ throughputTarget: null, timesTarget: null },
  };
}

/** A mode in which the number of messages says something: the load generator can send more than a bus takes. */
function fast(mode: Mode): Mode {
  return { ...mode, throughputTarget: 3 };
}

/** A ping-pong beside 100 connections of another user, which send as fast as they can. */
function flood(kind: string, load: string, target: number | null = 0.5): Mode {
  return {
    ...mode(`flood-${kind}`, `ping-pong, flood: ${kind} (p99)`, `flood ${load}`, null, target),
    ...{ isShared: true, compares: "p99" },
  };
}
