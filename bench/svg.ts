/** What all SVG files of the bench need. */

/** What XML cannot hold, however it is written. */
const UNWRITABLE = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

/** Words as text between tags; what XML cannot hold becomes a replacement character. */
export function escaped(words: string): string {
  return words
    .replace(UNWRITABLE, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
