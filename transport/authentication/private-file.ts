/**
 * Files of a directory that is ours alone, read and replaced without being led elsewhere.
 *
 * The directory is opened once and looked at through that descriptor, and every name is looked up
 * through it: what is renamed or linked meanwhile changes nothing. The last part of a path is never
 * followed if it is a link, and nothing but a regular file of our own is ever read, so that neither a
 * FIFO nor a device can hold anybody up.
 */

import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, unlink } from "node:fs/promises";
import { errorNameOf } from "../listening/listen-error.ts";
import { randomName } from "../listening/socket-name.ts";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const OTHERS = 0o077;
const OTHERS_READ_OR_WRITE = 0o066;
const OURS_ALONE = 0o700;
const FILE_MODE = 0o600;

/** Why something was not done, in words fit for a log. */
export class PrivateFileError extends Error {
  override readonly name = "PrivateFileError";
  readonly code = "ONEHOP_NOT_PRIVATE";
}

export class PrivateDirectory {
  readonly path: string;
  readonly #handle: FileHandle;
  /** Can others look up names in it, though not list them? Then each file has to be closed to them. */
  readonly #isPassable: boolean;

  private constructor(path: string, handle: FileHandle, isPassable: boolean) {
    this.path = path;
    this.#handle = handle;
    this.#isPassable = isPassable;
  }

  /**
   * Opens the directory, which is made first if `create` says so.
   *
   * @throws PrivateFileError if it is not there, not a directory, not ours, or others can list or change it
   */
  static async open(path: string, create: boolean): Promise<PrivateDirectory> {
    if (create) await makeDirectory(path);
    const handle = await opened(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      const { uid, mode } = await handle.stat();
      if (uid !== process.geteuid?.()) {
        throw new PrivateFileError(`${path} belongs to user ${uid}, not to us`);
      }
      if ((mode & OTHERS_READ_OR_WRITE) !== 0) throw openToOthers(path, mode);
      return new PrivateDirectory(path, handle, (mode & OTHERS) !== 0);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** The text of a file, or null if it is not there. @throws PrivateFileError if it is not a small file of ours */
  async read(name: string, maxBytes: number): Promise<string | null> {
    let handle: FileHandle;
    try {
      // A FIFO opens at once like this, and is then seen to be none of ours.
      handle = await open(this.#place(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if (errorNameOf(error) === "ENOENT") return null;
      throw new PrivateFileError(`${this.path}/${name} cannot be opened: ${errorNameOf(error)}`);
    }
    try {
      const status = await handle.stat();
      const refuse = (why: string): PrivateFileError =>
        new PrivateFileError(`${this.path}/${name} ${why}`);
      if (!status.isFile()) throw refuse("is no regular file");
      if (status.uid !== process.geteuid?.()) throw refuse(`belongs to user ${status.uid}`);
      if (this.#isPassable && (status.mode & OTHERS) !== 0) {
        throw openToOthers(`${this.path}/${name}`, status.mode);
      }
      if (status.size > maxBytes) throw refuse(`has more than ${maxBytes} bytes`);
      const bytes = Buffer.alloc(maxBytes);
      const { bytesRead } = await handle.read(bytes, 0, maxBytes, 0);
      return bytes.toString("latin1", 0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** Puts a new file in the place of the old one: whoever reads finds one or the other, whole. */
  async replace(name: string, text: string): Promise<void> {
    const temporary = `${name}.${randomName()}`;
    await this.#create(temporary, text);
    try {
      await rename(this.#place(temporary), this.#place(name));
    } catch (error) {
      await this.remove(temporary);
      throw new PrivateFileError(`${this.path}/${name} cannot be written: ${errorNameOf(error)}`);
    }
  }

  /** Makes an empty file; false if there is one of that name. */
  async claim(name: string): Promise<boolean> {
    try {
      await (await open(this.#place(name), "wx", FILE_MODE)).close();
      return true;
    } catch (error) {
      if (errorNameOf(error) === "EEXIST") return false;
      throw new PrivateFileError(`${this.path}/${name} cannot be made: ${errorNameOf(error)}`);
    }
  }

  /** Removes a name if it is there, and nothing that a link of that name leads to. */
  async remove(name: string): Promise<void> {
    try {
      await unlink(this.#place(name));
    } catch (error) {
      if (errorNameOf(error) === "ENOENT") return;
      throw new PrivateFileError(`${this.path}/${name} cannot be removed: ${errorNameOf(error)}`);
    }
  }

  async #create(name: string, text: string): Promise<void> {
    try {
      const handle = await open(this.#place(name), "wx", FILE_MODE);
      try {
        await handle.writeFile(text);
        await handle.datasync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw new PrivateFileError(`${this.path}/${name} cannot be written: ${errorNameOf(error)}`);
    }
  }

  /** By the descriptor, which is openat(2) for a process without that call. */
  #place(name: string): string {
    return `/proc/self/fd/${this.#handle.fd}/${name}`;
  }
}

function openToOthers(path: string, mode: number): PrivateFileError {
  const octal = (mode & 0o777).toString(8);
  return new PrivateFileError(`${path} is open to others (mode ${octal})`);
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: OURS_ALONE });
  } catch (error) {
    const name = errorNameOf(error);
    if (name === "EEXIST") return;
    throw new PrivateFileError(`${path} cannot be made: ${name}`);
  }
}

async function opened(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (error) {
    const name = errorNameOf(error);
    const isOther = name === "ELOOP" || name === "ENOTDIR";
    throw new PrivateFileError(
      `${path} cannot be opened: ${isOther ? "it is no directory, and links are not followed" : name}`,
    );
  }
}
