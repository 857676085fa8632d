/** The grammar of object paths, and which paths lie within which. */

/**
 * What no path contains: another character or an empty element. Asking for what is wrong keeps the
 * search linear; a pattern of the whole grammar overflows the stack on a path of some megabytes.
 */
const WRONG_IN_PATH = /[^A-Za-z0-9_/]|\/\//;

declare const brand: unique symbol;

/** The path of an object, such as "/org/example/Player"; paths have no limit of their own in length. */
export type ObjectPath = string & { readonly [brand]: "ObjectPath" };

/** https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol-marshaling-object-path */
export function isObjectPath(text: string): text is ObjectPath {
  if (text === "/") return true;
  return text.startsWith("/") && !text.endsWith("/") && !WRONG_IN_PATH.test(text);
}

/** Throws a `TypeError` if `text` is not an object path. */
export function assertObjectPath(text: string): asserts text is ObjectPath {
  if (!isObjectPath(text)) {
    throw new TypeError(`${JSON.stringify(text)} is not a valid object path`);
  }
}

/** Is `path` the path `namespace` or below it? Everything is within "/". */
export function isPathWithin(path: string, namespace: string): boolean {
  if (namespace === "/") return true;
  if (!path.startsWith(namespace)) return false;
  return path.length === namespace.length || path[namespace.length] === "/";
}
