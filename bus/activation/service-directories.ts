/** The service files of some directories, kept up with what is on the disk. */

import { isUtf8 } from "node:buffer";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { Log } from "../log.ts";
import type { ServiceDirectory } from "../options.ts";
import { parseServiceFile, type ServiceFile, type ServiceFileProblem } from "./service-file.ts";

/** dbus-daemon's limit for one file, which also bounds its lines. */
const MAX_FILE_BYTES = 128 << 10;
/** More are not looked at; a whole distribution has some hundreds. */
const MAX_FILES_PER_DIRECTORY = 4096;
/**
 * How long a look at every file counts when names are asked for that nobody provides, if no file has come
 * or gone since: what that costs must not depend on how often somebody asks.
 */
const LOOK_MS = 20;
/** Times of files are no finer than that: what changed so shortly before a look may change again unnoticed. */
const CLOCK_MS = 20;

/** A file as it was when it was read. */
interface KnownFile {
  readonly path: string;
  /** Differs when the file does. */
  readonly state: string;
  readonly service: ServiceFile | null;
}

/**
 * Of several files for one name the first counts: directories in their order, in a directory the names of
 * the files in theirs. A file that is wrong is told once, and again when it has changed.
 */
export class ServiceDirectories {
  readonly #log: Log;
  #directories: readonly ServiceDirectory[] = [];
  #usesHelper = false;
  #files: ReadonlyMap<string, KnownFile> = new Map();
  /** The files that count, by name. */
  #byName: ReadonlyMap<string, KnownFile> = new Map();
  /** What is true as long as it is, and was told already. */
  #told: Set<string> = new Set();
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** The directories at the last look; null if they may change and look the same. */
  #state: string | null = null;
  #hasChanged = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Looks into these from now on, with new eyes, as soon as somebody wants to know. `usesHelper`: whoever starts the
   * services finds a file by the name alone.
   */
  use(directories: readonly ServiceDirectory[], usesHelper = false): void {
    this.#directories = directories;
    this.#usesHelper = usesHelper;
    this.#files = new Map();
    this.#told = new Set();
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Reads what has changed; has anything for anybody, since this was asked last? */
  takeChange(): boolean {
    this.#refresh();
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }

  names(): readonly string[] {
    if (!this.#hasJustLooked) this.#refresh();
    return [...this.#byName.keys()];
  }

  /** The service file for `name`, as it is now. */
  find(name: string): ServiceFile | null {
    const known = this.#byName.get(name);
    if (known !== undefined && stateOf(known.path) === known.state) return known.service;
    if (known !== undefined || !this.#hasJustLooked) this.#refresh();
    return this.#byName.get(name)?.service ?? null;
  }

  /** The path of the file that counts for `name`, at the last look. */
  pathOf(name: string): string | null {
    return this.#byName.get(name)?.path ?? null;
  }

  #refresh(): void {
    this.#state = this.#hasChangedLately() ? null : this.#stateNow();
    const files = new Map<string, KnownFile>();
    const byName = new Map<string, KnownFile>();
    for (const directory of this.#directories) {
      const here = new Set<string>();
      for (const name of this.#list(directory.path)) {
        const file = this.#fileAt(join(directory.path, name), directory.mustMatchNames === true);
        files.set(file.path, file);
        if (file.service === null) continue;
        const service = file.service.name;
        if (!byName.has(service)) byName.set(service, file);
        else if (here.has(service)) {
          this.#tellOnce(
            file.path,
            `it is another one for ${service}; ${byName.get(service)?.path} counts`,
          );
        }
        here.add(service);
      }
    }
    if (JSON.stringify([...this.#byName]) !== JSON.stringify([...byName])) this.#hasChanged = true;
    this.#files = files;
    this.#byName = byName;
    this.#lookedAtMs = performance.now();
  }

  get #hasJustLooked(): boolean {
    return performance.now() - this.#lookedAtMs < LOOK_MS && this.#stateNow() === this.#state;
  }

  /** Differs when files have come or gone. */
  #stateNow(): string {
    return this.#directories.map(({ path }) => stateOf(path)).join(" ");
  }

  #hasChangedLately(): boolean {
    const sinceMs = Date.now() - CLOCK_MS;
    return this.#directories.some(({ path }) => {
      const timeNs = stateOf(path).split(":").at(-1) ?? "";
      return Number(timeNs) / 1e6 >= sinceMs;
    });
  }

  /** The names of a directory's service files; most standard directories do not exist on most machines. */
  #list(path: string): readonly string[] {
    let files: string[];
    try {
      files = readdirSync(path).filter((file) => file.endsWith(".service"));
    } catch {
      return [];
    }
    if (files.length > MAX_FILES_PER_DIRECTORY) {
      this.#tellOnce(
        path,
        `it has ${files.length} service files; the first ${MAX_FILES_PER_DIRECTORY} count`,
      );
    }
    return files.sort().slice(0, MAX_FILES_PER_DIRECTORY);
  }

  #fileAt(path: string, mustMatchNames: boolean): KnownFile {
    const state = stateOf(path);
    const known = this.#files.get(path);
    if (known?.state === state) return known;
    const service = readServiceFile(path);
    if ("text" in service) {
      const place = service.line === 0 ? path : `${path}:${service.line}`;
      this.#tell(place, `${service.text}; the file does not count`);
      return { path, state, service: null };
    }
    if (basename(path) === `${service.name}.service`) return { path, state, service };
    const text = `it should have been named ${service.name}.service`;
    if (mustMatchNames) {
      this.#tell(path, `${text}; the file does not count`);
      return { path, state, service: null };
    }
    // Systemd may start its unit all the same.
    if (this.#usesHelper) this.#tell(path, `${text}: the helper does not find it`);
    return { path, state, service };
  }

  #tellOnce(place: string, text: string): void {
    if (!this.#told.has(place)) this.#tell(place, text);
    this.#told.add(place);
  }

  #tell(place: string, text: string): void {
    this.#log({ level: "warning", text: `${place}: ${text}`, fields: {} });
  }
}

/** Tells whether a file is still what it was; "" if it is none, or none for us. */
function stateOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch {
    return "";
  }
}

function readServiceFile(path: string): ServiceFile | ServiceFileProblem {
  let bytes: Uint8Array | string;
  try {
    bytes = readRegularFile(path);
  } catch (error) {
    return { line: 0, text: error instanceof Error ? error.message : String(error) };
  }
  if (typeof bytes === "string") return { line: 0, text: bytes };
  if (isUtf8(bytes)) return parseServiceFile(Buffer.from(bytes).toString());
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  const wrong = lines.findIndex((line) => !isUtf8(Buffer.from(line, "latin1")));
  return { line: wrong + 1, text: "it is not UTF-8" };
}

/** The bytes of a file, or why they are not read. Nothing that blocks, as a named pipe does, is waited for. */
function readRegularFile(path: string): Uint8Array | string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(descriptor);
    if (!fstatSync(descriptor).isFile()) return "it is not a regular file";
    if (size > MAX_FILE_BYTES) return `it has ${size} bytes, more than ${MAX_FILE_BYTES}`;
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
