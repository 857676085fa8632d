/** Object paths as a tree, drawn as busctl draws it: every line has the whole path. */

/** `paths`: sorted. */
export function formatTree(paths: readonly string[]): string {
  if (paths.length === 0) return "No objects discovered.\n";
  if (paths.length === 1 && paths[0] === "/") return "Only root object discovered.\n";
  const children = new Map<string, string[]>();
  const isPath = new Set(paths);
  for (const path of paths) {
    if (path === "/") continue;
    const parent = nearest(path, isPath);
    children.set(parent, [...(children.get(parent) ?? []), path]);
  }
  return linesBelow("/", "", children)
    .map((line) => `${line}\n`)
    .join("");
}

function linesBelow(
  path: string,
  prefix: string,
  children: ReadonlyMap<string, readonly string[]>,
): string[] {
  const below = children.get(path) ?? [];
  return below.flatMap((child, index) => {
    const isLast = index === below.length - 1;
    return [
      `${prefix}${isLast ? "└─" : "├─"}${child}`,
      ...linesBelow(child, `${prefix}${isLast ? "  " : "│ "}`, children),
    ];
  });
}

/** The object above it that there is. */
function nearest(path: string, isPath: ReadonlySet<string>): string {
  let end = path.lastIndexOf("/");
  while (end > 0 && !isPath.has(path.slice(0, end))) end = path.lastIndexOf("/", end - 1);
  return end > 0 ? path.slice(0, end) : "/";
}
