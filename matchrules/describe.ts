/** Records of stored rules in words again: rules, and figures for people. */

import type { Strings } from "../wire/intern.ts";
import type { MessageType } from "../wire/protocol.ts";
import {
  BUCKET_SHAPE,
  BUCKET_VALUES,
  RULE_BUCKET,
  RULE_KIND,
  RULE_PREDICATE_COUNT,
  RULE_PREDICATES,
  SHAPE_ARGS_HIGH,
  SHAPE_ARGS_LOW,
  SHAPE_BUCKETS,
  SHAPE_KEYS,
  SHAPE_NEXT,
  SHAPE_PREFIX,
  SHAPE_SUBJECT,
  SUBJECT_FIRST_SHAPE,
  SUBJECT_SENDER,
} from "./layout.ts";
import type { Predicates } from "./predicate.ts";
import { cell } from "./records.ts";
import { type ArgumentKey, type MatchRule, matchRule } from "./rule.ts";
import {
  CHECK_DESTINATION,
  CHECK_PATH,
  CHECK_PATH_NAMESPACE,
  KEY_INTERFACE,
  KEY_MEMBER,
  KEY_PATH,
  KIND_EAVESDROPS,
  KIND_TYPE,
  PREFIX_ARGUMENT,
  PREFIX_NAME,
  PREFIX_NONE,
  PREFIX_PATH,
} from "./rule-keys.ts";

/** A subject's shapes, to show to people. */
export interface SubjectStatistics {
  /** The sender's name; `null`: rules without one. */
  readonly sender: string | null;
  readonly shapes: readonly ShapeStatistics[];
}

export interface ShapeStatistics {
  /** Hashed keys, as in rules, separated by commas. */
  readonly keys: string;
  /** Distinct combinations of their values. */
  readonly buckets: number;
}

/** The subject's shapes. */
export function describeSubject(
  cells: Int32Array,
  subject: number,
  strings: Strings,
): SubjectStatistics {
  const shapes: ShapeStatistics[] = [];
  let shape = cell(cells, subject + SUBJECT_FIRST_SHAPE);
  for (; shape !== 0; shape = cell(cells, shape + SHAPE_NEXT)) {
    shapes.push({ keys: namesOf(cells, shape), buckets: cell(cells, shape + SHAPE_BUCKETS) });
  }
  const sender = cell(cells, subject + SUBJECT_SENDER);
  return { sender: sender === 0 ? null : strings.textOf(sender), shapes };
}

/** The rule that was stored. */
export function describeRule(
  cells: Int32Array,
  rule: number,
  strings: Strings,
  predicates: Predicates,
): MatchRule {
  const bucket = cell(cells, rule + RULE_BUCKET);
  const shape = cell(cells, bucket + BUCKET_SHAPE);
  const kind = cell(cells, rule + RULE_KIND);
  const keys = cell(cells, shape + SHAPE_KEYS);
  const prefix = cell(cells, shape + SHAPE_PREFIX);
  const sender = cell(cells, cell(cells, shape + SHAPE_SUBJECT) + SUBJECT_SENDER);
  let at = bucket + BUCKET_VALUES;
  const next = (): string => strings.textOf(cell(cells, at++));
  // In the order in which values are hashed.
  const interfaceName = (keys & KEY_INTERFACE) === 0 ? null : next();
  const member = (keys & KEY_MEMBER) === 0 ? null : next();
  const path = (keys & KEY_PATH) === 0 ? null : next();
  const args: ArgumentKey[] = equalArguments(cells, shape).map((index) => {
    return { index, kind: "string", value: next() };
  });
  let pathNamespace = prefix === PREFIX_PATH ? next() : null;
  let destination: string | null = null;
  if (prefix === PREFIX_NAME) args.push({ index: 0, kind: "namespace", value: next() });
  if (prefix >= PREFIX_ARGUMENT) {
    args.push({ index: prefix - PREFIX_ARGUMENT, kind: "path", value: next() });
  }
  const end = rule + RULE_PREDICATES + cell(cells, rule + RULE_PREDICATE_COUNT);
  for (let predicate = rule + RULE_PREDICATES; predicate < end; predicate++) {
    const check = predicates.checkOf(cell(cells, predicate));
    const value = strings.textOf(predicates.valueOf(cell(cells, predicate)));
    if (check === CHECK_DESTINATION) destination = value;
    else if (check === CHECK_PATH_NAMESPACE) pathNamespace = value;
    else if (check >= CHECK_PATH) args.push({ index: check - CHECK_PATH, kind: "path", value });
    else args.push({ index: check, kind: "string", value });
  }
  return matchRule({
    // The kind was made from a rule's type.
    type: (kind & KIND_TYPE) as 0 | MessageType,
    sender: sender === 0 ? null : strings.textOf(sender),
    interface: interfaceName,
    member,
    path,
    pathNamespace,
    destination,
    args,
    eavesdrop: (kind & KIND_EAVESDROPS) !== 0,
  });
}

function namesOf(cells: Int32Array, shape: number): string {
  const keys = cell(cells, shape + SHAPE_KEYS);
  const prefix = cell(cells, shape + SHAPE_PREFIX);
  const names: string[] = [];
  if ((keys & KEY_INTERFACE) !== 0) names.push("interface");
  if ((keys & KEY_MEMBER) !== 0) names.push("member");
  if ((keys & KEY_PATH) !== 0) names.push("path");
  names.push(...equalArguments(cells, shape).map((index) => `arg${index}`));
  if (prefix === PREFIX_PATH) names.push("path_namespace");
  else if (prefix === PREFIX_NAME) names.push("arg0namespace");
  else if (prefix !== PREFIX_NONE) names.push(`arg${prefix - PREFIX_ARGUMENT}path`);
  return names.join(",");
}

function equalArguments(cells: Int32Array, shape: number): number[] {
  const low = cell(cells, shape + SHAPE_ARGS_LOW);
  const high = cell(cells, shape + SHAPE_ARGS_HIGH);
  const indexes: number[] = [];
  for (let index = 0; index < 64; index++) {
    const isAsked = index < 32 ? (low >>> index) & 1 : (high >>> (index - 32)) & 1;
    if (isAsked === 1) indexes.push(index);
  }
  return indexes;
}
