/** Which JavaScript values are read for the types of D-Bus. */

export interface ReadOptions {
  /**
   * What x and t become. "number" throws a `RangeError` for an integer that is not safe, rather than round
   * it. Default "bigint".
   */
  readonly integers64?: "bigint" | "number";
  /**
   * What a dictionary becomes. "object": one whose keys are strings (s, o, g) becomes an object without a
   * prototype, in which `__proto__` and `constructor` are keys like all others; one with other keys stays a
   * Map. As in every object, keys that look like array indexes come first. Default "map".
   */
  readonly dictionaries?: "map" | "object";
  /** "keep": a variant becomes a `Variant`; "unwrap": it becomes the value in it. Default "keep". */
  readonly variants?: "keep" | "unwrap";
  /**
   * "copy": `ay` becomes a Uint8Array of its own; "view": one that shows the bytes read, changes with them and
   * keeps them in memory. Default "copy".
   */
  readonly bytes?: "copy" | "view";
}

/** The exact form, from which a body of the same signature can be marshalled again. */
export const EXACT_VALUES: ReadOptions = Object.freeze({
  integers64: "bigint",
  dictionaries: "map",
  variants: "keep",
  bytes: "copy",
});

/** The form that is pleasant to read: objects for dictionaries, and variants' values without their types. */
export const NATURAL_VALUES: ReadOptions = Object.freeze({
  integers64: "bigint",
  dictionaries: "object",
  variants: "unwrap",
  bytes: "copy",
});
