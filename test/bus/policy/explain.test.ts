/** What a policy says it would do, beside the rules one after the other, and beside what a bus does. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { PolicyExplainer } from "../../../bus/policy/explain.ts";
import type { PolicyRule } from "../../../bus/policy/rules.ts";
import { message, NAMES, peer, policyRules } from "./arbitrary-policies.ts";
import { fittingOwn, fittingReceive, fittingSend } from "./plain-judge.ts";

const allows = (fitting: readonly PolicyRule[]): boolean => fitting.at(-1)?.allows ?? false;

test("the rules that fit a message are those that fit one by one, and the last one decides", () => {
  fc.assert(
    fc.property(policyRules, peer, peer, message, (rules, sender, receiver, asked) => {
      const { isAllowed, steps } = new PolicyExplainer({ rules }).message(sender, receiver, asked);
      const send = fittingSend(rules, sender, receiver.names, asked);
      const receive = fittingReceive(rules, receiver, sender.names, asked);
      expect(steps[0]?.fitting).toEqual(send);
      expect(steps[0]?.decidedBy).toBe(send.at(-1) ?? null);
      if (allows(send)) expect(steps[1]?.fitting).toEqual(receive);
      expect(steps).toHaveLength(allows(send) ? 2 : 1);
      expect(isAllowed).toBe(allows(send) && allows(receive));
    }),
    { numRuns: 3000 },
  );
});

test("for the bus itself only the sender's rules count, or only the receiver's", () => {
  fc.assert(
    fc.property(policyRules, peer, message, (rules, somebody, asked) => {
      const explainer = new PolicyExplainer({ rules });
      const driver = ["org.freedesktop.DBus"];
      const to = explainer.message(somebody, { bus: true }, asked);
      expect(to.steps.map((step) => step.fitting)).toEqual([
        fittingSend(rules, somebody, driver, asked),
      ]);
      const from = explainer.message(null, somebody, asked);
      expect(from.steps.map((step) => step.fitting)).toEqual([
        fittingReceive(rules, somebody, driver, asked),
      ]);
    }),
    { numRuns: 500 },
  );
});

test("an owner who is still to be started has one name, and may receive everything", () => {
  fc.assert(
    fc.property(
      policyRules,
      peer,
      fc.constantFrom(...NAMES),
      message,
      (rules, sender, name, asked) => {
        const { steps } = new PolicyExplainer({ rules }).message(
          sender,
          { startedFor: name },
          asked,
        );
        expect(steps.map((step) => step.fitting)).toEqual([
          fittingSend(rules, sender, [name], asked),
        ]);
      },
    ),
    { numRuns: 500 },
  );
});

test("the rules that fit a name are those that fit one by one, and the last one decides", () => {
  const names = fc.constantFrom(...NAMES, "a", "a.b.c.d", "x.y");
  fc.assert(
    fc.property(policyRules, peer, names, (rules, somebody, name) => {
      const { isAllowed, steps } = new PolicyExplainer({ rules }).own(somebody, name);
      const own = fittingOwn(rules, somebody, name);
      expect(steps).toEqual([
        { asked: "own", isAllowed: allows(own), decidedBy: own.at(-1) ?? null, fitting: own },
      ]);
      expect(isAllowed).toBe(allows(own));
    }),
    { numRuns: 1000 },
  );
});
