/** From what `perf script -F comm,ip,sym,dso` prints to stacks of frames that people can read. */

/**
 * What a frame is: the thread that everything in it runs on, the kernel, the addon, other native
 * code, JavaScript of onehop or of Node, or V8 at work for itself (garbage collection, compilation).
 */
export type FrameKind = "thread" | "kernel" | "addon" | "native" | "onehop" | "node" | "v8";

/** How V8 ran a JavaScript function. */
export type Tier = "optimised" | "baseline" | "interpreted";

export interface Frame {
  readonly kind: FrameKind;
  readonly name: string;
  /** The file and line of a JavaScript function, the library of a native one, without folders. */
  readonly place: string;
  /** Null for all but JavaScript functions. */
  readonly tier: Tier | null;
}

/** A stack, outermost frame first, and how many samples had it. */
export interface FoldedStack {
  readonly frames: readonly Frame[];
  readonly samples: number;
}

const FRAME = /^\s+([0-9a-f]+) (.*) \(([^()]*(?:\(deleted\))?)\)$/;
const JAVASCRIPT = /^(?:JS|LazyCompile|Function|Script|Eval):([*+^~]?)(.*)$/;
/** The name of a function, which may be empty or of two words, and where it begins. */
const WITH_PLACE = /^(.*?) ?((?:\/|file:|node:).*?):(\d+)(?::\d+)?$/;
const TIERS: Readonly<Record<string, Tier>> = {
  "*": "optimised",
  "+": "optimised",
  "^": "baseline",
  "~": "interpreted",
};
const UNKNOWN = "[unknown]";
/** Classes and namespaces of V8 that collect garbage or compile. */
const V8_AT_WORK =
  /^(?:v8::internal::(?:\{anonymous\}::)?(?:Heap::|Scaveng|RootScaveng|Mark|MainMark|Minor|Major|Concurrent|Sweep|Evacuat|Incremental|GCTracer|PagedSpace|YoungGen|Pointers?Updat|RememberedSet|compiler::|Compiler::|Optimiz|Turbo|maglev::|baseline::|interpreter::|Pars|Preparse|TieringManager|Deoptimiz|ScavengeJob)|cppgc::|heap::base::)/;

/** Counts equal stacks in the output of perf script. A line that is not understood is left out. */
export function foldStacks(script: string): readonly FoldedStack[] {
  const reader = new FrameReader();
  const folded = new Map<string, { frames: readonly Frame[]; samples: number }>();
  for (const block of script.split(/\n\s*\n/)) {
    const [thread = "", ...lines] = block.split("\n").filter((line) => line.trim() !== "");
    const frames = withoutGaps(lines.flatMap((line) => reader.read(line) ?? []));
    if (frames.length === 0) continue;
    const stack = [reader.thread(thread.trim()), ...frames.reverse()];
    const key = stack.map((frame) => reader.numberOf(frame)).join();
    const known = folded.get(key);
    if (known) known.samples++;
    else folded.set(key, { frames: stack, samples: 1 });
  }
  return [...folded.values()];
}

/** Reads lines of perf script. Equal frames become one object with one number. */
class FrameReader {
  readonly #byLine: Map<string, Frame> = new Map();
  readonly #byContent: Map<string, Frame> = new Map();
  readonly #numbers: Map<Frame, number> = new Map();

  read(line: string): Frame | null {
    const match = FRAME.exec(line);
    if (match === null) return null;
    const [, address = "", symbol = "", library = ""] = match;
    // The kernel's half of the address space; its modules have names of their own.
    const isKernel = address.length === 16 && address.startsWith("f");
    return this.#once(`${isKernel} ${symbol} (${library}`, () =>
      isKernel ? kernelFrame(symbol) : userFrame(symbol, library),
    );
  }

  thread(name: string): Frame {
    return this.#once(name, () => ({
      ...{ kind: "thread", name: withoutFolders(name), place: "", tier: null },
    }));
  }

  numberOf(frame: Frame): number {
    return this.#numbers.get(frame) ?? -1;
  }

  #once(line: string, make: () => Frame): Frame {
    const known = this.#byLine.get(line);
    if (known) return known;
    const made = make();
    const content = JSON.stringify(made);
    const frame = this.#byContent.get(content) ?? made;
    this.#byContent.set(content, frame);
    this.#byLine.set(line, frame);
    if (!this.#numbers.has(frame)) this.#numbers.set(frame, this.#numbers.size);
    return frame;
  }
}

function kernelFrame(symbol: string): Frame {
  return { kind: "kernel", name: withoutFolders(symbol), place: "kernel", tier: null };
}

function userFrame(symbol: string, library: string): Frame {
  const script = JAVASCRIPT.exec(symbol);
  if (script) return scriptFrame(script[1] ?? "", script[2] ?? "");
  const file = withoutFolders(library.replace(/ ?\(deleted\)$/, ""));
  const isGenerated = /^perf-\d+\.map$/.test(file);
  const place = isGenerated ? "generated code" : file;
  if (symbol === UNKNOWN || symbol === "")
    return { kind: "native", name: UNKNOWN, place: place.startsWith("[") ? "" : place, tier: null };
  const name = isGenerated ? withoutFolders(symbol) : shortName(symbol);
  const kind = file.endsWith(".node") ? "addon" : V8_AT_WORK.test(name) ? "v8" : "native";
  return { kind, name, place, tier: null };
}

function scriptFrame(mark: string, rest: string): Frame {
  const [, name = rest, file = "", line = ""] = WITH_PLACE.exec(rest) ?? [];
  const isNodes = file.startsWith("node:");
  // The bundle has a hash in its name.
  const base = isNodes ? file : withoutFolders(file).replace(/-[0-9a-f]{8,}(?=\.)/, "");
  return {
    kind: isNodes ? "node" : "onehop",
    name: withoutFolders(name).trim() || "(anonymous)",
    place: line === "" ? base : `${base}:${line}`,
    tier: TIERS[mark] ?? null,
  };
}

/** A C++ function without the types of its arguments, of its result and of its templates. */
function shortName(symbol: string): string {
  let name = symbol
    .replaceAll("(anonymous namespace)", "{anonymous}")
    .replace(/ \[[^\]]*\]$/, "")
    .replace(/(?<=\)) const\b.*$/, "");
  for (let longer = ""; longer !== name; ) {
    longer = name;
    name = name.replace(/\([^()]*\)|<[^<>]*>/g, "");
  }
  const isOperator = name.includes("operator ");
  return withoutFolders(isOperator ? name : (name.trim().split(" ").at(-1) ?? name)) || UNKNOWN;
}

/** No folder of the machine, wherever in the text it stands. */
function withoutFolders(text: string): string {
  return text.replace(/(?:file:\/\/)?\/(?:[^/\n]*\/)*/g, "");
}

/** One frame instead of several, one after the other, that perf could not name. */
function withoutGaps(frames: readonly Frame[]): Frame[] {
  return frames.filter(
    (frame, index) => frame.name !== UNKNOWN || frames[index - 1]?.name !== UNKNOWN,
  );
}
