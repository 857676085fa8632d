/** Notices that something in some directories has changed, those included that do not exist yet. */

import { existsSync, type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";

/**
 * What happens together, such as the installation of a package, is told together, when nothing has
 * happened for this long: a file that is being written is then complete.
 */
const SETTLE_MS = 50;
/** Where something happens all the time, it is told this often. */
const LONGEST_MS = 1000;

export class DirectoryWatch {
  readonly #changed: () => void;
  #paths: readonly string[] = [];
  /** By what is really watched: the directory, or the nearest one above that exists. */
  readonly #watchers: Map<string, FSWatcher> = new Map();
  #timer: NodeJS.Timeout | null = null;
  /** When the first thing happened that has not been told yet. */
  #since = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Watches these from now on. */
  use(paths: readonly string[]): void {
    this.#paths = paths;
    this.#look();
  }

  stop(): void {
    this.use([]);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const wanted = new Set(this.#paths.map(nearest));
    for (const [path, watcher] of this.#watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    for (const path of wanted) if (!this.#watchers.has(path)) this.#watch(path);
  }

  #watch(path: string): void {
    let watcher: FSWatcher;
    try {
      watcher = watch(path, { persistent: false });
    } catch {
      // Gone already, or no more watches to be had: changes are then seen when somebody asks for a name.
      return;
    }
    this.#watchers.set(path, watcher);
    watcher.on("change", (_kind, file) => this.#happened(path, String(file)));
    watcher.on("error", () => this.#happened(path, ""));
  }

  /** A directory above one that is missing is none of our business otherwise. */
  #happened(path: string, file: string): void {
    const isOurs = this.#paths.includes(path);
    const isOnTheWay = this.#paths.some((each) =>
      each.startsWith(`${path === "/" ? "" : path}/${file}`),
    );
    if (!isOurs && !isOnTheWay) return;
    // A directory that was replaced by another one of its name has lost its watcher.
    if (!existsSync(path) || (isOurs && file === path.slice(dirname(path).length + 1))) {
      this.#watchers.get(path)?.close();
      this.#watchers.delete(path);
    }
    if (this.#timer !== null) {
      if (performance.now() - this.#since < LONGEST_MS) this.#timer.refresh();
      return;
    }
    this.#since = performance.now();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#look();
      this.#changed();
    }, SETTLE_MS).unref();
  }
}

function nearest(path: string): string {
  return existsSync(path) ? path : nearest(dirname(path));
}
