/** Which signatures there are, read plainly from the specification, with depths as dbus-daemon counts them. */

const MOST_BYTES = 255;
const DEPTH = 32;
const BASIC = "ybnqiuxtdsogh";

/** How many complete types `text` spells; -1 if it is no signature. */
export function typeCount(text: string): number {
  if (text.length > MOST_BYTES) return -1;
  let count = 0;
  for (let at = 0; at < text.length; count++) {
    at = typeEnd(text, at, { arrays: 0, structs: 0, dictEntries: 0 });
    if (at < 0) return -1;
  }
  return count;
}

interface Depths {
  readonly arrays: number;
  readonly structs: number;
  readonly dictEntries: number;
}

/** Behind the complete type at `at`, or -1. */
function typeEnd(text: string, at: number, depths: Depths): number {
  const code = text[at] ?? "?";
  if (`${BASIC}v`.includes(code)) return at + 1;
  if (code === "a") {
    if (depths.arrays === DEPTH) return -1;
    if (text[at + 1] === "{") return dictEntryEnd(text, at + 1, depths);
    return typeEnd(text, at + 1, { ...depths, arrays: depths.arrays + 1 });
  }
  if (code !== "(" || depths.structs === DEPTH) return -1;
  const inner = { ...depths, arrays: 0, structs: depths.structs + 1 };
  let end = typeEnd(text, at + 1, inner);
  while (end >= 0 && text[end] !== ")") end = typeEnd(text, end, inner);
  return end < 0 ? -1 : end + 1;
}

function dictEntryEnd(text: string, at: number, depths: Depths): number {
  if (depths.dictEntries === DEPTH || !BASIC.includes(text[at + 1] ?? "?")) return -1;
  const inner = { ...depths, arrays: 0, dictEntries: depths.dictEntries + 1 };
  const end = typeEnd(text, at + 2, inner);
  return end >= 0 && text[end] === "}" ? end + 1 : -1;
}
