/** Random rules and messages over a small vocabulary, so that most rules fit something. */

import fc from "fast-check";
import type { PolicyMessage, PolicyPeer } from "../../../bus/policy/explain.ts";
import {
  MOST_UNIX_FDS,
  type OwnRule,
  type PolicyContext,
  type PolicyRule,
  type ReceiveRule,
  type SendRule,
} from "../../../bus/policy/rules.ts";
import type { MessageType } from "../../../wire/protocol.ts";

export const NAMES = ["a.b", "a.b.c", "a.bc", "d.e"];
const PREFIXES = ["a", "a.b", "a.b.c", "d", "a.", ""];
const INTERFACES = ["i.one", "i.two"];
const MEMBERS = ["M", "N"];
const PATHS = ["/p", "/q"];
const ERRORS = ["e.one", "e.two"];

/** Null as often as a value: most rules leave most things open. */
function perhaps<Value>(values: readonly Value[]): fc.Arbitrary<Value | null> {
  return fc.option(fc.constantFrom(...values), { freq: 2 });
}

const context: fc.Arbitrary<PolicyContext> = fc.oneof(
  fc.record({ kind: fc.constantFrom("default" as const, "mandatory" as const) }),
  fc.record({ kind: fc.constant("group" as const), groupId: fc.constantFrom(1, 2, 3) }),
  fc.record({ kind: fc.constant("user" as const), userId: fc.constantFrom(10, 20) }),
  fc.record({ kind: fc.constant("console" as const), isAtConsole: fc.boolean() }),
);

const common = {
  context,
  allows: fc.boolean(),
  origin: fc.record({
    file: fc.constantFrom("a.conf", "b.conf"),
    line: fc.integer({ min: 1, max: 999 }),
    element: fc.constant("<rule>"),
  }),
};

const name = fc.option(
  fc.oneof(
    fc.record({ name: fc.constantFrom(...NAMES), isPrefix: fc.constant(false) }),
    fc.record({ name: fc.constantFrom(...PREFIXES), isPrefix: fc.constant(true) }),
  ),
);

const pattern = {
  type: perhaps([1, 2, 3, 4]),
  path: perhaps(PATHS),
  interface: perhaps(INTERFACES),
  member: perhaps(MEMBERS),
  errorName: perhaps(ERRORS),
  minUnixFds: fc.constantFrom(0, 0, 0, 1, 2),
  maxUnixFds: fc.constantFrom(MOST_UNIX_FDS, MOST_UNIX_FDS, 0, 1),
  requestedReply: fc.boolean(),
  eavesdrop: fc.boolean(),
};

const own: fc.Arbitrary<OwnRule> = fc.record({ ...common, subject: fc.constant("own"), name });

const send: fc.Arbitrary<SendRule> = fc.record({
  ...common,
  ...pattern,
  subject: fc.constant("send"),
  destination: name,
  broadcast: perhaps([true, false]),
  logs: fc.boolean(),
});

const receive: fc.Arbitrary<ReceiveRule> = fc.record({
  ...common,
  ...pattern,
  subject: fc.constant("receive"),
  sender: perhaps(NAMES),
});

export const policyRules: fc.Arbitrary<PolicyRule[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: own },
    { weight: 3, arbitrary: send },
    { weight: 3, arbitrary: receive },
  ),
  { maxLength: 24 },
);

export const peer: fc.Arbitrary<PolicyPeer> = fc.record({
  userId: fc.constantFrom(10, 20, 30),
  groups: fc.uniqueArray(fc.constantFrom(3, 2, 1), { maxLength: 3 }),
  names: fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 2 }),
});

const types: readonly MessageType[] = [1, 2, 3, 4];

export const message: fc.Arbitrary<PolicyMessage> = fc.record({
  type: fc.constantFrom(...types),
  destination: perhaps(NAMES),
  path: perhaps([...PATHS, "/other"]),
  interface: perhaps([...INTERFACES, "i.other"]),
  member: perhaps([...MEMBERS, "Other"]),
  errorName: perhaps([...ERRORS, "e.other"]),
  unixFds: fc.integer({ min: 0, max: 3 }),
  isRequestedReply: perhaps([true, false]),
  isOverheard: fc.boolean(),
});
