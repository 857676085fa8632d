/** An element somewhere in the files of a configuration, for what can be said about it only later. */

import type { XmlElement } from "../../xml/parse.ts";
import type { Place, Problem } from "./configuration.ts";
import { problemAt } from "./element-shape.ts";

export interface Mention {
  readonly file: string;
  readonly element: XmlElement;
  /** The elements that led to the file, the innermost first. */
  readonly includedFrom: readonly Place[];
}

/** A problem with the element, and the way there. */
export function problemWith({ file, element, includedFrom }: Mention, text: string): Problem {
  return { ...problemAt(file, element, text), includedFrom };
}
