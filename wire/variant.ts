/** A value that carries its own type. */

import { isSingleCompleteType } from "./signature.ts";

/**
 * What a VARIANT holds: one complete type and a value of it.
 * https://dbus.freedesktop.org/doc/dbus-specification.html#container-types
 */
export class Variant<T = unknown> {
  readonly signature: string;
  readonly value: T;

  /** Throws a `TypeError` if `signature` is not one complete type. The value is checked when sent. */
  constructor(signature: string, value: T) {
    if (!isSingleCompleteType(signature)) {
      throw new TypeError(`${JSON.stringify(signature)} is not one complete type`);
    }
    this.signature = signature;
    this.value = value;
  }
}
