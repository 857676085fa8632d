/** Records of stored rules in words again: rules, and figures for people. */

import type { Strings } from "../wire/intern.ts";
import type { MessageType } from "../wire/protocol.ts";
import {
  FORM_KEYS,
  FORM_PREFIX,
  RULE_KIND,
  SHAPE_BUCKETS,
  SHAPE_FORM,
  SHAPE_NEXT,
  SUBJECT_FIRST_SHAPE,
  SUBJECT_SENDER,
} from "./layout.ts";
import type { Predicates } from "./predicate.ts";
import { cell } from "./records.ts";
import { type MatchRule, matchRule } from "./rule.ts";
import {
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
import { equalArguments, type StoredKeyName, storedKeys } from "./stored-keys.ts";

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
  const kind = cell(cells, rule + RULE_KIND);
  const keys = storedKeys(cells, rule, predicates);
  const text = (wanted: StoredKeyName): string | null => {
    const key = keys.find(({ name }) => name === wanted);
    return key === undefined ? null : strings.textOf(key.value);
  };
  return matchRule({
    // The kind was made from a rule's type.
    type: (kind & KIND_TYPE) as 0 | MessageType,
    sender: text("sender"),
    interface: text("interface"),
    member: text("member"),
    path: text("path"),
    pathNamespace: text("path_namespace"),
    destination: text("destination"),
    args: keys
      .filter(({ name }) => name === "argument")
      .map((key) => ({ index: key.index, kind: key.kind, value: strings.textOf(key.value) })),
    eavesdrop: (kind & KIND_EAVESDROPS) !== 0,
  });
}

function namesOf(cells: Int32Array, shape: number): string {
  const form = cell(cells, shape + SHAPE_FORM);
  const keys = cell(cells, form + FORM_KEYS);
  const prefix = cell(cells, form + FORM_PREFIX);
  const names: string[] = [];
  if ((keys & KEY_INTERFACE) !== 0) names.push("interface");
  if ((keys & KEY_MEMBER) !== 0) names.push("member");
  if ((keys & KEY_PATH) !== 0) names.push("path");
  names.push(...equalArguments(cells, form).map((index) => `arg${index}`));
  if (prefix === PREFIX_PATH) names.push("path_namespace");
  else if (prefix === PREFIX_NAME) names.push("arg0namespace");
  else if (prefix !== PREFIX_NONE) names.push(`arg${prefix - PREFIX_ARGUMENT}path`);
  return names.join(",");
}
