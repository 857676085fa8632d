/** Names and paths that people type, each checked before anything is sent. */

import { isBusName, isInterfaceName, isMemberName } from "../wire/names.ts";
import { isObjectPath } from "../wire/object-path.ts";
import { misuse } from "./command-problem.ts";

/** @throws CommandProblem that names it, as all in here do */
export function checkedBusName(text: string): string {
  return checked(isBusName, text, "a bus name", "org.example.Service or :1.42");
}

export function checkedPath(text: string): string {
  return checked(isObjectPath, text, "an object path", "/org/example/Object");
}

export function checkedInterface(text: string): string {
  return checked(isInterfaceName, text, "an interface", "org.example.Interface");
}

/** `what`: a method, a signal or a property. */
export function checkedMember(text: string, what: string): string {
  return checked(isMemberName, text, `the name of ${what}`, "Frobnicate");
}

function checked(
  isValid: (text: string) => boolean,
  text: string,
  what: string,
  example: string,
): string {
  if (isValid(text)) return text;
  throw misuse(`${JSON.stringify(text)} is not ${what}: expected such as ${example}`);
}
