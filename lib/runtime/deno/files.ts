// Files on Deno.
//
// Metadata operations (create, stat, remove) are synchronous. On a local disk they take a few microseconds. The way to
// Deno's thread pool and back would take thirty. Content that was just written is also read synchronously, because it
// is in memory. Content is written through the pool.

import { ioError } from "./api.ts";
import { PlainChecksum } from "../shared/plain_checksum.ts";
import type { Checksum, File, FileFacts } from "../../ports/runtime.ts";

const NEW: Deno.OpenOptions = { createNew: true, read: true, write: true, mode: 0o600 };

export async function create(path: string): Promise<File> {
  return openFile(path, NEW);
}

export async function createReadable(path: string): Promise<File> {
  const file = openFile(path, NEW);
  try {
    Deno.chmodSync(path, 0o644);
    return file;
  } catch (error) {
    file.close();
    throw ioError(error, `cannot set the mode of ${path}`);
  }
}

export async function createLocked(path: string, octets: Uint8Array): Promise<File | undefined> {
  const file = openFile(path, NEW);
  if (file.lockWith(octets)) return file;
  file.close();
  await remove(path);
  return undefined;
}

export async function open(path: string): Promise<File> {
  return openFile(path, { read: true });
}

export async function openLog(path: string): Promise<File> {
  return openFile(path, { append: true, create: true, mode: 0o640 });
}

function openFile(path: string, options: Deno.OpenOptions): DenoFile {
  try {
    return new DenoFile(path, Deno.openSync(path, options));
  } catch (error) {
    throw ioError(error, `cannot open ${path}`);
  }
}

// To free a file of 50 MB takes 6 ms. That is for the pool, too. In octets.
const LARGE = 1_000_000;

// The kernel's clock for files may be behind ours, but not as much as this.
const BACK = 1000;

class DenoFile implements File {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  // The kernel reads or writes next at this place. It has one place for both.
  #at = 0;
  #end = 0;

  constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  async append(octets: Uint8Array): Promise<void> {
    try {
      this.#goTo(this.#end);
      for (let written = 0; written < octets.length;) {
        const count = await this.#file.write(written === 0 ? octets : octets.subarray(written));
        written += count;
        this.#at = this.#end += count;
      }
    } catch (error) {
      throw ioError(error, `cannot write ${this.#path}`);
    }
  }

  // Seeks and reads in one turn, so that no other reader comes between.
  async read(into: Uint8Array, at: number): Promise<number | null> {
    try {
      this.#goTo(at);
      const count = this.#file.readSync(into);
      this.#at += count ?? 0;
      return count;
    } catch (error) {
      throw ioError(error, `cannot read ${this.#path}`);
    }
  }

  // Something that is no file has no places. It is read as it comes.
  #goTo(at: number): void {
    if (at === this.#at) return;
    this.#file.seekSync(at, Deno.SeekMode.Start);
    this.#at = at;
  }

  async stat(): Promise<FileFacts> {
    try {
      return factsOf(this.#file.statSync());
    } catch (error) {
      throw ioError(error, `cannot look at ${this.#path}`);
    }
  }

  async backdate(): Promise<void> {
    const time = new Date(Date.now() - BACK);
    try {
      this.#file.utimeSync(time, time);
    } catch (error) {
      throw ioError(error, `cannot set the time of ${this.#path}`);
    }
  }

  // Not synchronous: a disk may take a second for it.
  async sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      throw ioError(error, `cannot write ${this.#path} to disk`);
    }
  }

  async isUnlocked(): Promise<boolean> {
    return this.#tryLock("shared");
  }

  async lock(): Promise<boolean> {
    return this.#tryLock("exclusive");
  }

  #tryLock(kind: "shared" | "exclusive"): boolean {
    try {
      return this.#file.tryLockSync(kind === "exclusive");
    } catch {
      return false;
    }
  }

  /** Locks it and writes `octets` into it in one turn; false if there are no locks. */
  lockWith(octets: Uint8Array): boolean {
    try {
      return this.#tryLock("exclusive") && this.#file.writeSync(octets) === octets.length;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#file.close();
  }
}

export async function stat(path: string): Promise<FileFacts> {
  try {
    return factsOf(Deno.statSync(path));
  } catch (error) {
    throw ioError(error, `cannot look at ${path}`);
  }
}

export async function lstat(path: string): Promise<FileFacts> {
  try {
    return factsOf(Deno.lstatSync(path));
  } catch (error) {
    throw ioError(error, `cannot look at ${path}`);
  }
}

function factsOf(info: Deno.FileInfo): FileFacts {
  return {
    kind: kindOf(info),
    size: info.size,
    modified: info.mtime?.getTime(),
    changed: info.ctime?.getTime(),
    executable: ((info.mode ?? 0) & 0o111) !== 0,
    device: info.dev,
    inode: info.ino ?? 0,
    isOwn: info.uid === Deno.uid(),
    // Writable by others, and not sticky (inode(7)).
    isEverybodys: ((info.mode ?? 0) & 0o1002) === 0o0002,
  };
}

function kindOf({ isFile, isDirectory, isSocket, isSymlink }: Deno.FileInfo): FileFacts["kind"] {
  if (isFile) return "file";
  if (isDirectory) return "directory";
  return isSocket ? "socket" : isSymlink ? "link" : "other";
}

export async function rename(from: string, to: string): Promise<void> {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    throw ioError(error, `cannot rename ${from} to ${to}`);
  }
}

export async function remove(path: string): Promise<void> {
  try {
    if (Deno.lstatSync(path).size > LARGE) await Deno.remove(path, { recursive: true });
    else Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw ioError(error, `cannot remove ${path}`);
  }
}

export async function list(directory: string): Promise<string[]> {
  try {
    return Array.from(Deno.readDirSync(directory), (entry) => entry.name);
  } catch (error) {
    throw ioError(error, `cannot list ${directory}`);
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = openFile(path, { read: true });
  try {
    await directory.sync();
  } finally {
    directory.close();
  }
}

export function newChecksum(): Checksum {
  return new PlainChecksum();
}
