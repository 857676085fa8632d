/** Door "./matchrules": match rules read, written, compared and matched. */

export { canonicalText } from "./canonical.ts";
export {
  type DescribedArgument,
  type DescribedMessage,
  EMPTY_MESSAGE,
  matches,
} from "./match.ts";
export { parseMatchRule } from "./parse.ts";
export {
  type ArgumentKey,
  type ArgumentKind,
  EMPTY_RULE,
  type MatchRule,
  type MatchRuleError,
  matchRule,
} from "./rule.ts";
