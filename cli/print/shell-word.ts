/** Texts as words that a shell reads back: bash, zsh, ksh and whatever else follows POSIX of 2024. */

/** What double quotes do not keep as it is. */
const NEEDS_SINGLE_QUOTES = /[$`"\\!]/;
/** What is never shown as it is: it could command a terminal, or not be seen. */
const NEEDS_ESCAPES = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u;

const NAMED_ESCAPES: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  "\\": "\\\\",
  "'": "\\'",
};

/** In double quotes, as busctl has it, if that is possible; else in single quotes; else as `$'a\nb'`. */
export function quote(text: string): string {
  if (!NEEDS_ESCAPES.test(text)) {
    if (!NEEDS_SINGLE_QUOTES.test(text)) return `"${text}"`;
    if (!text.includes("'")) return `'${text}'`;
  }
  let escaped = "";
  for (const character of text) {
    escaped +=
      NAMED_ESCAPES[character] ??
      (NEEDS_ESCAPES.test(character) ? octalEscapes(character) : character);
  }
  return `$'${escaped}'`;
}

/** Bytes by their octal numbers, as busctl has them: other escapes depend on the shell's locale. */
function octalEscapes(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `\\${byte.toString(8).padStart(3, "0")}`)
    .join("");
}
