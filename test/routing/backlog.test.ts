/** Whose bytes wait: runs against a list with one entry for each byte. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Backlog } from "../../routing/backlog.ts";
import type { Payer } from "../../routing/ledger.ts";

const payers: readonly Payer[] = [0, 1, 2, 3].map((userId) => ({ userId }));

const step = fc.oneof(
  fc.record({ push: fc.nat(3), byteLength: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ leave: fc.nat(120) }),
);

test("what leaves is taken from those who came first, bytes that nobody counted before all others", () => {
  fc.assert(
    fc.property(fc.nat(30), fc.array(step, { maxLength: 80 }), (uncounted, steps) => {
      const backlog = new Backlog();
      let queue: (Payer | null)[] = new Array<Payer | null>(uncounted).fill(null);
      for (const each of steps) {
        const gone: Payer[] = [];
        if ("push" in each) {
          const payer = payers[each.push] as Payer; // nat(3)
          backlog.push(payer, each.byteLength);
          queue = [...queue, ...new Array<Payer>(each.byteLength).fill(payer)];
        } else {
          const left = queue.slice(0, each.leave);
          queue = queue.slice(each.leave);
          backlog.settle(queue.length, (payer, count) =>
            gone.push(...new Array<Payer>(count).fill(payer)),
          );
          expect(gone).toEqual(left.filter((payer) => payer !== null));
        }
        const counted = queue.filter((payer) => payer !== null);
        expect(backlog.totalBytes).toBe(counted.length);
        expect(backlog.payerCount).toBe(new Set(counted).size);
        for (const payer of payers) {
          expect(backlog.bytesOf(payer)).toBe(counted.filter((one) => one === payer).length);
        }
      }
    }),
    { numRuns: 200 },
  );
});
