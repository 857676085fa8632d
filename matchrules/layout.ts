/** Which cell of a record is what, for the records of `StoredRules`. */

import { TABLE_CELLS } from "./record-table.ts";
import { cell } from "./records.ts";

/** A family of rules: those that broadcasts ask for. */
export const BROADCAST: number = 0;
/** Those that messages with a destination ask for: eavesdroppers'. */
export const UNICAST: number = 1;
/** Those that nothing matches: with a destination, but without eavesdrop. */
export const DORMANT: number = 2;

// A subject: all rules of a family with one `sender`, or without.
export const SUBJECT_FAMILY: number = 0;
export const SUBJECT_SENDER: number = 1;
export const SUBJECT_FIRST_SHAPE: number = 2;
export const SUBJECT_SHAPES: number = 3;
export const SUBJECT_CELLS: number = 4;

// A form: a set of keys that rules hash. Subjects share them.
export const FORM_KEYS: number = TABLE_CELLS;
export const FORM_ARGS_LOW: number = TABLE_CELLS + 1;
export const FORM_ARGS_HIGH: number = TABLE_CELLS + 2;
export const FORM_PREFIX: number = TABLE_CELLS + 3;
export const FORM_WIDTH: number = TABLE_CELLS + 4;
/** How many shapes have it. */
export const FORM_USES: number = TABLE_CELLS + 5;
export const FORM_CELLS: number = TABLE_CELLS + 6;

// A shape: all rules of a subject that hash the same keys.
export const SHAPE_NEXT: number = 0;
export const SHAPE_SUBJECT: number = 1;
export const SHAPE_FORM: number = 2;
export const SHAPE_BUCKETS: number = 3;
export const SHAPE_CELLS: number = 4;

// A bucket: all rules of a shape with the same hashed values, which follow it.
export const BUCKET_SHAPE: number = TABLE_CELLS;
/** Of the rules with nothing left to check. */
export const BUCKET_FIRST_RULE: number = TABLE_CELLS + 1;
/** To the others. */
export const BUCKET_FIRST_BRANCH: number = TABLE_CELLS + 2;
export const BUCKET_VALUES: number = TABLE_CELLS + 3;

// A branch: all rules of a bucket that are kept by the same key: by the predicate of it that they have.
export const BRANCH_NEXT: number = 0;
export const BRANCH_BUCKET: number = 1;
/** The key: one of the CHECK_ numbers. */
export const BRANCH_CHECK: number = 2;
export const BRANCH_TWIGS: number = 3;
export const BRANCH_FIRST_TWIG: number = 4;
export const BRANCH_CELLS: number = 5;

// A twig: all rules of a branch with the same predicate of that key.
export const TWIG_BRANCH: number = TABLE_CELLS;
export const TWIG_PREDICATE: number = TABLE_CELLS + 1;
export const TWIG_PREVIOUS: number = TABLE_CELLS + 2;
export const TWIG_NEXT: number = TABLE_CELLS + 3;
export const TWIG_FIRST_RULE: number = TABLE_CELLS + 4;
export const TWIG_CELLS: number = TABLE_CELLS + 5;

// A rule: a kind and the predicates that remain to be checked, which follow it.
/** Its bucket, or if it has predicates its twig; see `bucketOf`. */
export const RULE_PARENT: number = TABLE_CELLS;
export const RULE_PREVIOUS: number = TABLE_CELLS + 1;
export const RULE_NEXT: number = TABLE_CELLS + 2;
/** The kind in the low bits, how many predicates follow in those above. */
export const RULE_KIND: number = TABLE_CELLS + 3;
export const RULE_FIRST_SUBSCRIPTION: number = TABLE_CELLS + 4;
export const RULE_PREDICATES: number = TABLE_CELLS + 5;

const KIND_BITS = 8;

export function kindCell(kind: number, predicateCount: number): number {
  return kind | (predicateCount << KIND_BITS);
}

/** What `kindCell` was made from, beside the kind. */
export function countOf(kind: number): number {
  return kind >> KIND_BITS;
}

export function bucketOf(cells: Int32Array, rule: number): number {
  const parent = cell(cells, rule + RULE_PARENT);
  if (predicateCountOf(cells, rule) === 0) return parent;
  return cell(cells, cell(cells, parent + TWIG_BRANCH) + BRANCH_BUCKET);
}

export function predicateCountOf(cells: Int32Array, rule: number): number {
  return countOf(cell(cells, rule + RULE_KIND));
}
