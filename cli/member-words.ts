/** `INTERFACE MEMBER [SIGNATURE [ARGUMENT…]]` as busctl has it, or `INTERFACE.MEMBER` in one word as gdbus. */

import { isInterfaceName, isMemberName } from "../wire/names.ts";
import { isSignature } from "../wire/signature.ts";
import { parseArguments } from "./arguments.ts";
import { checkedInterface, checkedMember } from "./checked-names.ts";
import { checkedSignature } from "./checked-signature.ts";
import { misuse } from "./command-problem.ts";

export interface MemberWords {
  readonly interface: string;
  readonly member: string;
  /** null: there is none. */
  readonly signature: string | null;
  readonly words: readonly string[];
}

/**
 * `what`: a method or a signal. Many signatures could be names of members (`s`, `as`), so that both forms can be
 * possible; then the one counts whose arguments fit.
 *
 * @throws CommandProblem, also if both fit
 */
export function readMemberWords(given: readonly string[], what: string): MemberWords {
  const possible = [apartWords(given), joinedWords(given)].filter((each) => each !== null);
  const fitting = possible.filter(hasFittingArguments);
  const [one, other] = fitting;
  if (one !== undefined && other !== undefined) {
    throw misuse(
      `is it ${what} ${one.member} of ${one.interface}, or ${other.member} of ${other.interface}?`,
      `the first: ${one.interface}.${one.member}, in one word; the second: ${other.interface} ${other.member}, in two`,
    );
  }
  return one ?? possible[0] ?? explainWords(given, what);
}

function apartWords([
  first = "",
  second = "",
  signature,
  ...words
]: readonly string[]): MemberWords | null {
  const isPossible = isInterfaceName(first) && isMemberName(second) && isSignature(signature ?? "");
  return isPossible
    ? { interface: first, member: second, signature: signature ?? null, words }
    : null;
}

function joinedWords([first = "", signature, ...words]: readonly string[]): MemberWords | null {
  const dot = Math.max(0, first.lastIndexOf("."));
  const [interfaceName, member] = [first.slice(0, dot), first.slice(dot + 1)];
  const isPossible =
    isInterfaceName(interfaceName) && isMemberName(member) && isSignature(signature ?? "");
  return isPossible
    ? { interface: interfaceName, member, signature: signature ?? null, words }
    : null;
}

function hasFittingArguments({ signature, words }: MemberWords): boolean {
  try {
    parseArguments(signature ?? "", words);
    return true;
  } catch {
    // Whoever uses these words says what is wrong with them.
    return false;
  }
}

/** Neither form is possible: says why. */
function explainWords([first = "", second, third]: readonly string[], what: string): never {
  checkedInterface(first);
  if (second === undefined) throw misuse(`the name of ${what} of ${first} is missing`);
  if (/[(){}]/.test(second)) checkedSignature(second);
  checkedMember(second, what);
  checkedSignature(third ?? "");
  throw misuse(`${first} ${second}: expected INTERFACE and the name of ${what}`);
}
