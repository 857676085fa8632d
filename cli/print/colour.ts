/** Colour where a person reads: on a terminal, unless NO_COLOR says otherwise (https://no-color.org). */

import type { WriteStream } from "node:tty";

const codes = { red: 31, green: 32, yellow: 33, grey: 90 } as const;

export type Colour = keyof typeof codes;

/** Wraps text in a colour, or returns it unchanged. */
export type Paint = (text: string, colour: Colour) => string;

/** How to paint what goes to `stream`. */
export function paintFor(
  stream: Pick<WriteStream, "isTTY">,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Paint {
  const isPlain = !stream.isTTY || (environment["NO_COLOR"] ?? "") !== "";
  return (text, colour) => (isPlain ? text : `\u001b[${codes[colour]}m${text}\u001b[39m`);
}
