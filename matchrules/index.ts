/** Door "./matchrules": match rules read, written, compared, matched and explained. */

export { canonicalText } from "./canonical.ts";
export type { Explanation, KeyVerdict, Verdict } from "./explain.ts";
export { type OwnerOf, verdictText } from "./explain-text.ts";
export { type Circumstances, Explainer } from "./explainer.ts";
export {
  type DescribedArgument,
  type DescribedMessage,
  EMPTY_MESSAGE,
  matches,
} from "./match.ts";
export type { NearMiss } from "./near-miss.ts";
export { parseMatchRule } from "./parse.ts";
export {
  type ArgumentKey,
  type ArgumentKind,
  EMPTY_RULE,
  type MatchRule,
  type MatchRuleError,
  matchRule,
} from "./rule.ts";
