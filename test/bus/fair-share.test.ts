/** How users share what there is. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { isWithinShare, shareOf } from "../../bus/fair-share.ts";

/** Users come one after the other, and each takes all that it gets. */
function greedy(supply: number, users: number): number[] {
  const taken: number[] = [];
  for (let user = 1; user <= users; user++) {
    const free = supply - taken.reduce((sum, one) => sum + one, 0);
    taken.push(shareOf(0, free, user));
  }
  return taken;
}

test("who is alone gets half, and the next ones a part of what is left, at least 1/(n+1)² of all", () => {
  expect(greedy(1200, 4)).toEqual([600, 200, 100, 60]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 1e9 }),
      fc.integer({ min: 1, max: 20 }),
      (supply, n) => {
        for (const [index, share] of greedy(supply, n).entries()) {
          expect(share).toBeGreaterThanOrEqual(Math.floor(supply / (index + 2) ** 2));
        }
      },
    ),
  );
});

test("all shares together leave something for the next one", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10_000, max: 1e9 }),
      fc.integer({ min: 1, max: 90 }),
      (supply, n) => {
        const sum = greedy(supply, n).reduce((total, one) => total + one, 0);
        expect(supply - sum).toBeGreaterThanOrEqual(Math.floor(supply / (n + 1)));
      },
    ),
  );
});

test("what may be had is what the share says, and what somebody has already stays in it", () => {
  const number = fc.nat(1000);
  fc.assert(
    fc.property(
      number,
      number,
      number,
      fc.integer({ min: 1, max: 9 }),
      (own, more, free, users) => {
        const share = shareOf(own, free, users);
        expect(share).toBeGreaterThanOrEqual(own);
        if (isWithinShare(own, more, free, users)) {
          expect(own + more).toBeLessThanOrEqual(share);
          expect(more).toBeLessThanOrEqual(free);
        } else if (more > 0)
          expect(own + more).toBeGreaterThan(Math.floor((own + free) / (users + 1)));
      },
    ),
  );
});
