/** The keys of a stored rule, and where in the index each of them lies. */

import {
  BUCKET_SHAPE,
  BUCKET_VALUES,
  bucketOf,
  FORM_ARGS_HIGH,
  FORM_ARGS_LOW,
  FORM_KEYS,
  FORM_PREFIX,
  predicateCountOf,
  RULE_PREDICATES,
  SHAPE_FORM,
  SHAPE_SUBJECT,
  SUBJECT_SENDER,
} from "./layout.ts";
import type { Predicates } from "./predicate.ts";
import { cell } from "./records.ts";
import type { ArgumentKind } from "./rule.ts";
import {
  CHECK_DESTINATION,
  CHECK_PATH,
  CHECK_PATH_NAMESPACE,
  KEY_INTERFACE,
  KEY_MEMBER,
  KEY_PATH,
  PREFIX_ARGUMENT,
  PREFIX_NAME,
  PREFIX_PATH,
} from "./rule-keys.ts";

export type StoredKeyName =
  | "sender"
  | "interface"
  | "member"
  | "path"
  | "path_namespace"
  | "destination"
  | "argument";

/** One key of a rule. */
export interface StoredKey {
  readonly name: StoredKeyName;
  /** Of an argument: which, and how it is compared. */
  readonly index: number;
  readonly kind: ArgumentKind;
  /** The id of the value's string. */
  readonly value: number;
  /** The predicate that checks it, or 0: it is hashed, or leads to the subject. */
  readonly predicate: number;
}

/** All keys that have a string for a value, in the order of canonical texts. */
export function storedKeys(cells: Int32Array, rule: number, predicates: Predicates): StoredKey[] {
  const bucket = bucketOf(cells, rule);
  const shape = cell(cells, bucket + BUCKET_SHAPE);
  const form = cell(cells, shape + SHAPE_FORM);
  const hashed = cell(cells, form + FORM_KEYS);
  const prefix = cell(cells, form + FORM_PREFIX);
  const sender = cell(cells, cell(cells, shape + SHAPE_SUBJECT) + SUBJECT_SENDER);
  let at = bucket + BUCKET_VALUES;
  const next = (): number => cell(cells, at++);
  const keys: StoredKey[] = [];
  if (sender !== 0) keys.push(headerKey("sender", sender));
  // In the order in which values are hashed.
  if ((hashed & KEY_INTERFACE) !== 0) keys.push(headerKey("interface", next()));
  if ((hashed & KEY_MEMBER) !== 0) keys.push(headerKey("member", next()));
  if ((hashed & KEY_PATH) !== 0) keys.push(headerKey("path", next()));
  for (const index of equalArguments(cells, form)) keys.push(argumentKey(index, "string", next()));
  if (prefix === PREFIX_PATH) keys.push(headerKey("path_namespace", next()));
  else if (prefix === PREFIX_NAME) keys.push(argumentKey(0, "namespace", next()));
  else if (prefix >= PREFIX_ARGUMENT) {
    keys.push(argumentKey(prefix - PREFIX_ARGUMENT, "path", next()));
  }
  const end = rule + RULE_PREDICATES + predicateCountOf(cells, rule);
  for (let check = rule + RULE_PREDICATES; check < end; check++) {
    keys.push(checkedKey(cell(cells, check), predicates));
  }
  return keys.sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name) || a.index - b.index);
}

const ORDER: readonly StoredKeyName[] = [
  ...(["sender", "interface", "member", "path"] as const),
  ...(["path_namespace", "destination", "argument"] as const),
];

/** The arguments that a form hashes because they must equal a value. */
export function equalArguments(cells: Int32Array, form: number): number[] {
  const low = cell(cells, form + FORM_ARGS_LOW);
  const high = cell(cells, form + FORM_ARGS_HIGH);
  const indexes: number[] = [];
  for (let index = 0; index < 64; index++) {
    const isAsked = index < 32 ? (low >>> index) & 1 : (high >>> (index - 32)) & 1;
    if (isAsked === 1) indexes.push(index);
  }
  return indexes;
}

function checkedKey(predicate: number, predicates: Predicates): StoredKey {
  const check = predicates.checkOf(predicate);
  const value = predicates.valueOf(predicate);
  if (check === CHECK_DESTINATION) return headerKey("destination", value, predicate);
  if (check === CHECK_PATH_NAMESPACE) return headerKey("path_namespace", value, predicate);
  if (check >= CHECK_PATH) return argumentKey(check - CHECK_PATH, "path", value, predicate);
  return argumentKey(check, "string", value, predicate);
}

function headerKey(name: StoredKeyName, value: number, predicate = 0): StoredKey {
  return { name, index: 0, kind: "string", value, predicate };
}

function argumentKey(index: number, kind: ArgumentKind, value: number, predicate = 0): StoredKey {
  return { name: "argument", index, kind, value, predicate };
}
