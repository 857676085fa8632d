/** The grammars of unique, well-known, interface, member and error names, and their brands. */

import { Limit } from "./protocol.ts";

/**
 * Exactly as strict as dbus-daemon 1.14, which is the specification, save that its unique names need
 * neither a '.' nor anything at all behind the ':'.
 * https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-names
 */
const UNIQUE_NAME = /^:(?:\.?[A-Za-z0-9_-])*$/;
const WELL_KNOWN_NAME = /^[A-Za-z_-][A-Za-z0-9_-]*(?:\.[A-Za-z_-][A-Za-z0-9_-]*)+$/;
const WELL_KNOWN_NAMESPACE = /^[A-Za-z_-][A-Za-z0-9_-]*(?:\.[A-Za-z_-][A-Za-z0-9_-]*)*$/;
const INTERFACE_NAME = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+$/;
const MEMBER_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

declare const brand: unique symbol;

/** A name that the bus gave to a connection, such as ":1.42". */
export type UniqueName = string & { readonly [brand]: "UniqueName" };
/** A name that connections ask for, such as "org.example.Player". */
export type WellKnownName = string & { readonly [brand]: "WellKnownName" };
export type InterfaceName = string & { readonly [brand]: "InterfaceName" };
/** The name of a method or a signal. */
export type MemberName = string & { readonly [brand]: "MemberName" };
/** The name of an error; the grammar is that of interface names. */
export type ErrorName = string & { readonly [brand]: "ErrorName" };

export function isUniqueName(text: string): text is UniqueName {
  return text.length <= Limit.nameBytes && UNIQUE_NAME.test(text);
}

export function isWellKnownName(text: string): text is WellKnownName {
  return text.length <= Limit.nameBytes && WELL_KNOWN_NAME.test(text);
}

/** What DESTINATION and SENDER may hold: a unique or a well-known name. */
export function isBusName(text: string): text is UniqueName | WellKnownName {
  return isUniqueName(text) || isWellKnownName(text);
}

/** What the match key `arg0namespace` may hold: a bus name or its first elements, at least one. */
export function isBusNamespace(text: string): boolean {
  return isUniqueName(text) || (text.length <= Limit.nameBytes && WELL_KNOWN_NAMESPACE.test(text));
}

export function isInterfaceName(text: string): text is InterfaceName {
  return text.length <= Limit.nameBytes && INTERFACE_NAME.test(text);
}

export function isMemberName(text: string): text is MemberName {
  return text.length <= Limit.nameBytes && MEMBER_NAME.test(text);
}

export function isErrorName(text: string): text is ErrorName {
  return text.length <= Limit.nameBytes && INTERFACE_NAME.test(text);
}

/** Throws a `TypeError` if `text` is not a unique name; so do its siblings for their grammars. */
export function assertUniqueName(text: string): asserts text is UniqueName {
  if (!isUniqueName(text)) throw notA("unique name", text);
}

export function assertWellKnownName(text: string): asserts text is WellKnownName {
  if (!isWellKnownName(text)) throw notA("well-known name", text);
}

export function assertInterfaceName(text: string): asserts text is InterfaceName {
  if (!isInterfaceName(text)) throw notA("interface name", text);
}

export function assertMemberName(text: string): asserts text is MemberName {
  if (!isMemberName(text)) throw notA("member name", text);
}

export function assertErrorName(text: string): asserts text is ErrorName {
  if (!isErrorName(text)) throw notA("error name", text);
}

function notA(grammar: string, text: string): TypeError {
  return new TypeError(`${JSON.stringify(text)} is not a valid ${grammar}`);
}
