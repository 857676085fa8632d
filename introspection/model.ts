/** What an object says of itself: interfaces, methods, signals, properties and child nodes. */

/** https://dbus.freedesktop.org/doc/dbus-specification.html#introspection-format */
export interface NodeDescription {
  /** An object path or, of a child, a path relative to its parent; null: the object that was asked. */
  readonly name: string | null;
  readonly interfaces: readonly InterfaceDescription[];
  readonly children: readonly NodeDescription[];
}

export interface InterfaceDescription {
  readonly name: string;
  readonly methods: readonly MethodDescription[];
  readonly signals: readonly SignalDescription[];
  readonly properties: readonly PropertyDescription[];
  readonly annotations: readonly Annotation[];
}

export interface MethodDescription {
  readonly name: string;
  readonly inputs: readonly Argument[];
  readonly outputs: readonly Argument[];
  readonly annotations: readonly Annotation[];
}

export interface SignalDescription {
  readonly name: string;
  readonly args: readonly Argument[];
  readonly annotations: readonly Annotation[];
}

export interface PropertyDescription {
  readonly name: string;
  /** One complete type. */
  readonly signature: string;
  readonly access: "read" | "write" | "readwrite";
  readonly annotations: readonly Annotation[];
}

export interface Argument {
  readonly name: string | null;
  /** One complete type. */
  readonly signature: string;
  readonly annotations: readonly Annotation[];
}

/** Such as `org.freedesktop.DBus.Deprecated` = `true`. */
export interface Annotation {
  readonly name: string;
  readonly value: string;
}

/** The value of an annotation; null if there is none of this name. */
export function annotationOf(
  described: { readonly annotations: readonly Annotation[] },
  name: string,
): string | null {
  return described.annotations.find((annotation) => annotation.name === name)?.value ?? null;
}

/** The types of arguments in a row, such as the `in` arguments of a method: what a call's signature is. */
export function signatureOf(args: readonly Argument[]): string {
  return args.map(({ signature }) => signature).join("");
}
