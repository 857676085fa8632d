/** Which of the names that there are somebody may have meant. */

const SUGGESTIONS = 3;

/** The most similar ones first; none that are rather different. */
export function similarTo(name: string, names: Iterable<string>): string[] {
  const wanted = name.toLowerCase();
  const rated = [...names].map((each) => ({
    each,
    distance: distanceOf(wanted, each.toLowerCase()),
  }));
  return rated
    .filter(({ distance }) => distance <= Math.max(2, wanted.length / 4))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, SUGGESTIONS)
    .map(({ each }) => each);
}

/** Half a step if one has the other in it; otherwise the characters to insert, remove or replace. */
function distanceOf(wanted: string, name: string): number {
  if (wanted === name) return 0;
  if (wanted.length > 3 && (name.includes(wanted) || wanted.includes(name))) return 0.5;
  let row = Array.from({ length: name.length + 1 }, (_, index) => index);
  for (const [i, character] of [...wanted].entries()) {
    const next = [i + 1];
    for (let j = 0; j < name.length; j++) {
      // Both rows are as long as the name, and one more.
      const replaced = (row[j] as number) + (name[j] === character ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[name.length] as number; // the last of the row
}
