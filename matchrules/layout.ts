/** Which cell of a record is what, for the records of `StoredRules`. */

import { TABLE_CELLS } from "./record-table.ts";

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

// A shape: all rules of a subject that hash the same keys.
export const SHAPE_NEXT: number = 0;
export const SHAPE_SUBJECT: number = 1;
export const SHAPE_KEYS: number = 2;
export const SHAPE_ARGS_LOW: number = 3;
export const SHAPE_ARGS_HIGH: number = 4;
export const SHAPE_PREFIX: number = 5;
export const SHAPE_WIDTH: number = 6;
export const SHAPE_BUCKETS: number = 7;
export const SHAPE_CELLS: number = 8;

// A bucket: all rules of a shape with the same hashed values, which follow it.
export const BUCKET_SHAPE: number = TABLE_CELLS;
export const BUCKET_FIRST_RULE: number = TABLE_CELLS + 1;
export const BUCKET_VALUES: number = TABLE_CELLS + 2;

// A rule: a kind and the predicates that remain to be checked, which follow it.
export const RULE_BUCKET: number = TABLE_CELLS;
export const RULE_PREVIOUS: number = TABLE_CELLS + 1;
export const RULE_NEXT: number = TABLE_CELLS + 2;
export const RULE_KIND: number = TABLE_CELLS + 3;
export const RULE_FIRST_SUBSCRIPTION: number = TABLE_CELLS + 4;
export const RULE_PREDICATE_COUNT: number = TABLE_CELLS + 5;
export const RULE_PREDICATES: number = TABLE_CELLS + 6;
