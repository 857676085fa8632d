/** Distinct rules, found by what they ask for: subject, shape, values, and the checks that remain. */

import type { Strings } from "../wire/intern.ts";
import {
  describeRule,
  describeSubject,
  type ShapeStatistics,
  type SubjectStatistics,
} from "./describe.ts";
import { type Explanation, type MatchQuestion, RuleReader } from "./explain.ts";
import {
  BRANCH_BUCKET,
  BRANCH_CELLS,
  BRANCH_CHECK,
  BRANCH_FIRST_TWIG,
  BRANCH_NEXT,
  BRANCH_TWIGS,
  BUCKET_FIRST_BRANCH,
  BUCKET_FIRST_RULE,
  BUCKET_SHAPE,
  BUCKET_VALUES,
  bucketOf,
  countOf,
  FORM_ARGS_HIGH,
  FORM_ARGS_LOW,
  FORM_CELLS,
  FORM_KEYS,
  FORM_PREFIX,
  FORM_USES,
  FORM_WIDTH,
  kindCell,
  predicateCountOf,
  RULE_KIND,
  RULE_NEXT,
  RULE_PARENT,
  RULE_PREDICATES,
  RULE_PREVIOUS,
  SHAPE_BUCKETS,
  SHAPE_CELLS,
  SHAPE_FORM,
  SHAPE_NEXT,
  SHAPE_SUBJECT,
  SUBJECT_CELLS,
  SUBJECT_FAMILY,
  SUBJECT_FIRST_SHAPE,
  SUBJECT_SENDER,
  SUBJECT_SHAPES,
  TWIG_BRANCH,
  TWIG_CELLS,
  TWIG_FIRST_RULE,
  TWIG_NEXT,
  TWIG_PREDICATE,
  TWIG_PREVIOUS,
} from "./layout.ts";
import type { MessageKeys } from "./message-keys.ts";
import type { Predicates } from "./predicate.ts";
import { NEXT_IN_CHAIN, RecordTable } from "./record-table.ts";
import { cell, mix, Records, withRoomFor } from "./records.ts";
import type { MatchRule } from "./rule.ts";
import { PREFIX_NONE, type RuleKeys } from "./rule-keys.ts";

/**
 * A subject with so many shapes takes new ones only without argN above 0, of which there are few.
 * Every shape costs each message of the subject one probe, so their number must not be a subscriber's choice.
 */
const SHAPE_LIMIT = 64;

export class StoredRules {
  readonly records: Records = new Records();
  readonly #strings: Strings;
  readonly #secret: number;
  readonly #predicates: Predicates;
  readonly #messageKeys: MessageKeys;
  readonly #forms: RecordTable = new RecordTable(this.records, (form) => this.#hashOfForm(form));
  readonly #buckets: RecordTable = new RecordTable(this.records, (bucket) =>
    this.#hashOfBucket(bucket),
  );
  /** Those with predicates; of the others a bucket has one for each kind at most. */
  readonly #rules: RecordTable = new RecordTable(this.records, (rule) => this.#hashOfRule(rule));
  #size = 0;
  readonly #twigs: RecordTable = new RecordTable(this.records, (twig) => this.#hashOfTwig(twig));
  /** By family, then by the sender's string id; 0 is for rules without a sender. */
  readonly #subjects: Int32Array[] = [new Int32Array(64), new Int32Array(64), new Int32Array(64)];
  /** The predicates of the rule at hand. */
  readonly #wanted: Int32Array = new Int32Array(68);

  constructor(strings: Strings, secret: number, predicates: Predicates, messageKeys: MessageKeys) {
    this.#strings = strings;
    this.#secret = secret;
    this.#predicates = predicates;
    this.#messageKeys = messageKeys;
  }

  /** Distinct rules. */
  get size(): number {
    return this.#size;
  }

  get usedBytes(): number {
    const subjects = this.#subjects.reduce((sum, array) => sum + array.byteLength, 0);
    const tables = [this.#forms, this.#buckets, this.#rules, this.#twigs];
    return tables.reduce((sum, table) => sum + table.usedBytes, this.records.usedBytes + subjects);
  }

  /** The subject of rules of `family` with this sender (0: with none), or 0. */
  subjectOf(family: number, sender: number): number {
    const subjects = this.#subjects[family];
    return subjects === undefined || sender >= subjects.length ? 0 : cell(subjects, sender);
  }

  /** Where the hash of a shape's values starts; `mix` in each value. */
  hashOf(shape: number): number {
    return mix(this.#secret, shape);
  }

  /** The bucket of the `shape` with the first `width` of `values`, or 0. */
  findBucket(shape: number, hash: number, values: Int32Array, width: number): number {
    const { cells } = this.records;
    let bucket = this.#buckets.first(hash);
    for (; bucket !== 0; bucket = cell(cells, bucket + NEXT_IN_CHAIN)) {
      if (cell(cells, bucket + BUCKET_SHAPE) !== shape) continue;
      let same = 0;
      while (same < width && cell(cells, bucket + BUCKET_VALUES + same) === cell(values, same))
        same++;
      if (same === width) break;
    }
    return bucket;
  }

  /** The twig of the `branch` for this predicate, or 0. */
  findTwig(branch: number, predicate: number): number {
    const { cells } = this.records;
    let twig = this.#twigs.first(this.#hashTwig(branch, predicate));
    for (; twig !== 0; twig = cell(cells, twig + NEXT_IN_CHAIN)) {
      if (cell(cells, twig + TWIG_BRANCH) !== branch) continue;
      if (cell(cells, twig + TWIG_PREDICATE) === predicate) break;
    }
    return twig;
  }

  /** The stored rule that equals the one in `keys`, or 0. Arranges `keys` as `isReduced` says. */
  find(family: number, keys: RuleKeys, isReduced: boolean): number {
    keys.arrange(isReduced);
    const subject = this.subjectOf(family, keys.sender);
    if (subject === 0) return 0;
    const shape = this.#findShape(subject, keys);
    if (shape === 0) return 0;
    const bucket = this.findBucket(shape, this.#hashValues(shape, keys), keys.values, keys.width);
    if (bucket === 0) return 0;
    for (let i = 0; i < keys.checkCount; i++) {
      const predicate = this.#predicates.find(cell(keys.checks, i), cell(keys.checkValues, i));
      if (predicate === 0) return 0;
      this.#wanted[i] = predicate;
    }
    return this.#findRule(bucket, keys);
  }

  /** The same, stored if it was not. */
  place(family: number, keys: RuleKeys): number {
    const subject = this.subjectOf(family, keys.sender) || this.#makeSubject(family, keys.sender);
    keys.arrange(false);
    let shape = this.#findShape(subject, keys);
    if (shape === 0 && cell(this.records.cells, subject + SUBJECT_SHAPES) >= SHAPE_LIMIT) {
      keys.arrange(true);
      shape = this.#findShape(subject, keys);
    }
    if (shape === 0) shape = this.#makeShape(subject, keys);
    const hash = this.#hashValues(shape, keys);
    const bucket =
      this.findBucket(shape, hash, keys.values, keys.width) || this.#makeBucket(shape, hash, keys);
    for (let i = 0; i < keys.checkCount; i++) {
      this.#wanted[i] = this.#predicates.acquire(cell(keys.checks, i), cell(keys.checkValues, i));
    }
    const rule = this.#findRule(bucket, keys);
    if (rule === 0) return this.#makeRule(bucket, keys);
    for (let i = 0; i < keys.checkCount; i++) this.#predicates.release(cell(this.#wanted, i));
    return rule;
  }

  /** Forgets a rule, and what only it had: bucket, shape, subject, predicates, strings. */
  drop(rule: number): void {
    const { cells } = this.records;
    const bucket = bucketOf(cells, rule);
    const parent = cell(cells, rule + RULE_PARENT);
    const count = predicateCountOf(cells, rule);
    const first = parent + (count === 0 ? BUCKET_FIRST_RULE : TWIG_FIRST_RULE);
    const previous = cell(cells, rule + RULE_PREVIOUS);
    const next = cell(cells, rule + RULE_NEXT);
    if (previous === 0) cells[first] = next;
    else cells[previous + RULE_NEXT] = next;
    if (next !== 0) cells[next + RULE_PREVIOUS] = previous;
    this.#size--;
    if (count > 0) {
      this.#rules.remove(rule);
      if (cell(cells, first) === 0) this.#dropTwig(parent);
    }
    for (let i = 0; i < count; i++) {
      this.#predicates.release(cell(cells, rule + RULE_PREDICATES + i));
    }
    this.records.free(rule, RULE_PREDICATES + count);
    const hasOthers =
      cell(cells, bucket + BUCKET_FIRST_RULE) !== 0 ||
      cell(cells, bucket + BUCKET_FIRST_BRANCH) !== 0;
    if (!hasOthers) this.#dropBucket(bucket);
  }

  /** What the record says, as a rule again. */
  describe(rule: number): MatchRule {
    return describeRule(this.records.cells, rule, this.#strings, this.#predicates);
  }

  /** `BROADCAST`, `UNICAST` or `DORMANT`. */
  familyOf(rule: number): number {
    const { cells } = this.records;
    const shape = cell(cells, bucketOf(cells, rule) + BUCKET_SHAPE);
    return cell(cells, cell(cells, shape + SHAPE_SUBJECT) + SUBJECT_FAMILY);
  }

  /** Each key's verdict on the message that `MessageKeys` has begun on, numbered `number`. */
  explain(rule: number, question: MatchQuestion, number: number): Explanation {
    const reader = new RuleReader(
      this.#strings,
      this.#predicates,
      this.#messageKeys,
      question,
      number,
    );
    return reader.explain(this.records.cells, rule, this.familyOf(rule));
  }

  /** The subjects of one family. */
  statistics(family: number): SubjectStatistics[] {
    const subjects = this.#subjects[family] ?? new Int32Array(0);
    return Array.from(
      subjects.filter((subject) => subject !== 0),
      (subject) => describeSubject(this.records.cells, subject, this.#strings),
    );
  }

  /** The shapes of the rules of `family` without `sender`. */
  senderlessShapes(family: number): readonly ShapeStatistics[] {
    const subject = this.subjectOf(family, 0);
    return subject === 0 ? [] : describeSubject(this.records.cells, subject, this.#strings).shapes;
  }

  /** Does this stored rule name no sender? */
  isSenderless(rule: number): boolean {
    const { cells } = this.records;
    const shape = cell(cells, bucketOf(cells, rule) + BUCKET_SHAPE);
    return cell(cells, cell(cells, shape + SHAPE_SUBJECT) + SUBJECT_SENDER) === 0;
  }

  #hashValues(shape: number, keys: RuleKeys): number {
    let hash = this.hashOf(shape);
    for (let i = 0; i < keys.width; i++) hash = mix(hash, cell(keys.values, i));
    return hash;
  }

  #findShape(subject: number, keys: RuleKeys): number {
    const form = this.#findForm(keys);
    if (form === 0) return 0;
    const { cells } = this.records;
    let shape = cell(cells, subject + SUBJECT_FIRST_SHAPE);
    while (shape !== 0 && cell(cells, shape + SHAPE_FORM) !== form) {
      shape = cell(cells, shape + SHAPE_NEXT);
    }
    return shape;
  }

  #findForm(keys: RuleKeys): number {
    const { cells } = this.records;
    const hash = this.#hashForm(keys.keys, keys.argsLow, keys.argsHigh, keys.prefix);
    let form = this.#forms.first(hash);
    for (; form !== 0; form = cell(cells, form + NEXT_IN_CHAIN)) {
      if (
        cell(cells, form + FORM_KEYS) === keys.keys &&
        cell(cells, form + FORM_ARGS_LOW) === keys.argsLow &&
        cell(cells, form + FORM_ARGS_HIGH) === keys.argsHigh &&
        cell(cells, form + FORM_PREFIX) === keys.prefix
      ) {
        break;
      }
    }
    return form;
  }

  #findRule(bucket: number, keys: RuleKeys): number {
    const { cells } = this.records;
    if (keys.checkCount === 0) {
      let plain = cell(cells, bucket + BUCKET_FIRST_RULE);
      while (plain !== 0 && cell(cells, plain + RULE_KIND) !== kindCell(keys.kind, 0)) {
        plain = cell(cells, plain + RULE_NEXT);
      }
      return plain;
    }
    const hash = this.#hashRule(bucket, kindCell(keys.kind, keys.checkCount), this.#wanted, 0);
    let rule = this.#rules.first(hash);
    for (; rule !== 0; rule = cell(cells, rule + NEXT_IN_CHAIN)) {
      if (cell(cells, rule + RULE_KIND) !== kindCell(keys.kind, keys.checkCount)) continue;
      if (bucketOf(cells, rule) !== bucket) continue;
      let same = 0;
      while (
        same < keys.checkCount &&
        cell(cells, rule + RULE_PREDICATES + same) === cell(this.#wanted, same)
      ) {
        same++;
      }
      if (same === keys.checkCount) break;
    }
    return rule;
  }

  /** `predicates` has from `at` on as many as the `kind` says. */
  #hashRule(bucket: number, kind: number, predicates: Int32Array, at: number): number {
    let hash = mix(mix(this.#secret, bucket), kind);
    const end = at + countOf(kind);
    for (let i = at; i < end; i++) hash = mix(hash, cell(predicates, i));
    return hash;
  }

  #hashOfRule(rule: number): number {
    const { cells } = this.records;
    const kind = cell(cells, rule + RULE_KIND);
    return this.#hashRule(bucketOf(cells, rule), kind, cells, rule + RULE_PREDICATES);
  }

  #hashTwig(branch: number, predicate: number): number {
    return mix(mix(this.#secret, branch), predicate);
  }

  #hashOfTwig(twig: number): number {
    const { cells } = this.records;
    return this.#hashTwig(cell(cells, twig + TWIG_BRANCH), cell(cells, twig + TWIG_PREDICATE));
  }

  #hashForm(keys: number, argsLow: number, argsHigh: number, prefix: number): number {
    return mix(mix(mix(mix(this.#secret, keys), argsLow), argsHigh), prefix);
  }

  #hashOfForm(form: number): number {
    const { cells } = this.records;
    const [low, high] = [cell(cells, form + FORM_ARGS_LOW), cell(cells, form + FORM_ARGS_HIGH)];
    return this.#hashForm(
      cell(cells, form + FORM_KEYS),
      low,
      high,
      cell(cells, form + FORM_PREFIX),
    );
  }

  #hashOfBucket(bucket: number): number {
    const { cells } = this.records;
    const shape = cell(cells, bucket + BUCKET_SHAPE);
    const width = cell(cells, cell(cells, shape + SHAPE_FORM) + FORM_WIDTH);
    let hash = this.hashOf(shape);
    for (let i = 0; i < width; i++) hash = mix(hash, cell(cells, bucket + BUCKET_VALUES + i));
    return hash;
  }

  #makeSubject(family: number, sender: number): number {
    const subject = this.records.allocate(SUBJECT_CELLS);
    const { cells } = this.records;
    cells[subject + SUBJECT_FAMILY] = family;
    cells[subject + SUBJECT_SENDER] = sender;
    if (sender !== 0) this.#strings.retain(sender);
    const subjects = withRoomFor(this.#subjects[family] ?? new Int32Array(0), sender);
    subjects[sender] = subject;
    this.#subjects[family] = subjects;
    return subject;
  }

  #makeForm(keys: RuleKeys): number {
    const form = this.records.allocate(FORM_CELLS);
    const { cells } = this.records;
    cells[form + FORM_KEYS] = keys.keys;
    cells[form + FORM_ARGS_LOW] = keys.argsLow;
    cells[form + FORM_ARGS_HIGH] = keys.argsHigh;
    cells[form + FORM_PREFIX] = keys.prefix;
    cells[form + FORM_WIDTH] = keys.width;
    this.#forms.insert(form, this.#hashOfForm(form));
    return form;
  }

  #makeShape(subject: number, keys: RuleKeys): number {
    const form = this.#findForm(keys) || this.#makeForm(keys);
    const shape = this.records.allocate(SHAPE_CELLS);
    const { cells } = this.records;
    cells[shape + SHAPE_NEXT] = cell(cells, subject + SUBJECT_FIRST_SHAPE);
    cells[shape + SHAPE_SUBJECT] = subject;
    cells[shape + SHAPE_FORM] = form;
    cells[form + FORM_USES] = cell(cells, form + FORM_USES) + 1;
    cells[subject + SUBJECT_FIRST_SHAPE] = shape;
    cells[subject + SUBJECT_SHAPES] = cell(cells, subject + SUBJECT_SHAPES) + 1;
    return shape;
  }

  #makeBucket(shape: number, hash: number, keys: RuleKeys): number {
    const bucket = this.records.allocate(BUCKET_VALUES + keys.width);
    const { cells } = this.records;
    cells[bucket + BUCKET_SHAPE] = shape;
    for (let i = 0; i < keys.width; i++) {
      const value = cell(keys.values, i);
      cells[bucket + BUCKET_VALUES + i] = value;
      this.#strings.retain(value);
    }
    cells[shape + SHAPE_BUCKETS] = cell(cells, shape + SHAPE_BUCKETS) + 1;
    this.#buckets.insert(bucket, hash);
    if (keys.prefix !== PREFIX_NONE) {
      this.#messageKeys.addPrefix(keys.prefix, cell(keys.values, keys.width - 1));
    }
    return bucket;
  }

  #makeRule(bucket: number, keys: RuleKeys): number {
    const rule = this.records.allocate(RULE_PREDICATES + keys.checkCount);
    const parent = keys.checkCount === 0 ? bucket : this.#twigFor(bucket, this.#rarest(keys));
    const { cells } = this.records;
    const first = parent + (keys.checkCount === 0 ? BUCKET_FIRST_RULE : TWIG_FIRST_RULE);
    const next = cell(cells, first);
    cells[rule + RULE_PARENT] = parent;
    cells[rule + RULE_KIND] = kindCell(keys.kind, keys.checkCount);
    for (let i = 0; i < keys.checkCount; i++) {
      cells[rule + RULE_PREDICATES + i] = cell(this.#wanted, i);
    }
    cells[rule + RULE_NEXT] = next;
    if (next !== 0) cells[next + RULE_PREVIOUS] = rule;
    cells[first] = rule;
    this.#size++;
    if (keys.checkCount > 0) this.#rules.insert(rule, this.#hashOfRule(rule));
    return rule;
  }

  /** Of the predicates of the rule at hand the one that the fewest rules have: it tells the most. */
  #rarest(keys: RuleKeys): number {
    let rarest = cell(this.#wanted, 0);
    for (let i = 1; i < keys.checkCount; i++) {
      const predicate = cell(this.#wanted, i);
      if (this.#predicates.referencesOf(predicate) < this.#predicates.referencesOf(rarest)) {
        rarest = predicate;
      }
    }
    return rarest;
  }

  /** The bucket's twig for the predicate, made if there is none. */
  #twigFor(bucket: number, predicate: number): number {
    const branch = this.#branchFor(bucket, this.#predicates.checkOf(predicate));
    const known = this.findTwig(branch, predicate);
    if (known !== 0) return known;
    const twig = this.records.allocate(TWIG_CELLS);
    const { cells } = this.records;
    const next = cell(cells, branch + BRANCH_FIRST_TWIG);
    cells[twig + TWIG_BRANCH] = branch;
    cells[twig + TWIG_PREDICATE] = predicate;
    cells[twig + TWIG_NEXT] = next;
    if (next !== 0) cells[next + TWIG_PREVIOUS] = twig;
    cells[branch + BRANCH_FIRST_TWIG] = twig;
    cells[branch + BRANCH_TWIGS] = cell(cells, branch + BRANCH_TWIGS) + 1;
    this.#twigs.insert(twig, this.#hashTwig(branch, predicate));
    return twig;
  }

  #branchFor(bucket: number, check: number): number {
    const first = cell(this.records.cells, bucket + BUCKET_FIRST_BRANCH);
    let branch = first;
    while (branch !== 0 && cell(this.records.cells, branch + BRANCH_CHECK) !== check) {
      branch = cell(this.records.cells, branch + BRANCH_NEXT);
    }
    if (branch !== 0) return branch;
    branch = this.records.allocate(BRANCH_CELLS);
    const { cells } = this.records;
    cells[branch + BRANCH_NEXT] = first;
    cells[branch + BRANCH_BUCKET] = bucket;
    cells[branch + BRANCH_CHECK] = check;
    cells[bucket + BUCKET_FIRST_BRANCH] = branch;
    return branch;
  }

  #dropTwig(twig: number): void {
    const { cells } = this.records;
    const branch = cell(cells, twig + TWIG_BRANCH);
    const previous = cell(cells, twig + TWIG_PREVIOUS);
    const next = cell(cells, twig + TWIG_NEXT);
    if (previous === 0) cells[branch + BRANCH_FIRST_TWIG] = next;
    else cells[previous + TWIG_NEXT] = next;
    if (next !== 0) cells[next + TWIG_PREVIOUS] = previous;
    this.#twigs.remove(twig);
    this.records.free(twig, TWIG_CELLS);
    const twigs = cell(cells, branch + BRANCH_TWIGS) - 1;
    cells[branch + BRANCH_TWIGS] = twigs;
    if (twigs === 0) this.#dropBranch(branch);
  }

  #dropBranch(branch: number): void {
    const { cells } = this.records;
    let link = cell(cells, branch + BRANCH_BUCKET) + BUCKET_FIRST_BRANCH;
    while (cell(cells, link) !== branch) link = cell(cells, link) + BRANCH_NEXT;
    cells[link] = cell(cells, branch + BRANCH_NEXT);
    this.records.free(branch, BRANCH_CELLS);
  }

  #dropBucket(bucket: number): void {
    const { cells } = this.records;
    const shape = cell(cells, bucket + BUCKET_SHAPE);
    const form = cell(cells, shape + SHAPE_FORM);
    const width = cell(cells, form + FORM_WIDTH);
    const prefix = cell(cells, form + FORM_PREFIX);
    this.#buckets.remove(bucket);
    if (prefix !== PREFIX_NONE) {
      this.#messageKeys.removePrefix(prefix, cell(cells, bucket + BUCKET_VALUES + width - 1));
    }
    for (let i = 0; i < width; i++) this.#strings.release(cell(cells, bucket + BUCKET_VALUES + i));
    this.records.free(bucket, BUCKET_VALUES + width);
    const buckets = cell(cells, shape + SHAPE_BUCKETS) - 1;
    cells[shape + SHAPE_BUCKETS] = buckets;
    if (buckets === 0) this.#dropShape(shape);
  }

  #dropShape(shape: number): void {
    const { cells } = this.records;
    const subject = cell(cells, shape + SHAPE_SUBJECT);
    let link = subject + SUBJECT_FIRST_SHAPE;
    while (cell(cells, link) !== shape) link = cell(cells, link) + SHAPE_NEXT;
    cells[link] = cell(cells, shape + SHAPE_NEXT);
    this.#dropForm(cell(cells, shape + SHAPE_FORM));
    this.records.free(shape, SHAPE_CELLS);
    const shapes = cell(cells, subject + SUBJECT_SHAPES) - 1;
    cells[subject + SUBJECT_SHAPES] = shapes;
    if (shapes === 0) this.#dropSubject(subject);
  }

  /** One shape less has it. */
  #dropForm(form: number): void {
    const { cells } = this.records;
    const uses = cell(cells, form + FORM_USES) - 1;
    cells[form + FORM_USES] = uses;
    if (uses > 0) return;
    this.#forms.remove(form);
    this.records.free(form, FORM_CELLS);
  }

  #dropSubject(subject: number): void {
    const { cells } = this.records;
    const sender = cell(cells, subject + SUBJECT_SENDER);
    const subjects = this.#subjects[cell(cells, subject + SUBJECT_FAMILY)];
    if (subjects !== undefined) subjects[sender] = 0;
    if (sender !== 0) this.#strings.release(sender);
    this.records.free(subject, SUBJECT_CELLS);
  }
}
