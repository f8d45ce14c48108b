// Files on Bun, with the functions of node.
//
// Metadata operations, small writes, and reads of content that was just written are synchronous. A thread for them
// would cost more than they do.

import * as fs from "node:fs";
import process from "node:process";
import { bun, codeOf, ioError, promised } from "./api.ts";
import { type Locker, locker } from "./libc.ts";
import type { Checksum, File, FileFacts } from "../../ports/runtime.ts";

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants;

const NEW = { flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600 };

export async function create(path: string): Promise<File> {
  return openFile(path, NEW);
}

export async function createReadable(path: string): Promise<File> {
  const file = openFile(path, NEW);
  try {
    fs.chmodSync(path, 0o644);
    return file;
  } catch (error) {
    file.close();
    throw ioError(error, `cannot set the mode of ${path}`);
  }
}

export async function createLocked(path: string, octets: Uint8Array): Promise<File | undefined> {
  const lock = await locker();
  if (!lock) return undefined;
  const file = openFile(path, NEW);
  if (file.lockWith(lock, octets)) return file;
  file.close();
  await remove(path);
  return undefined;
}

export async function open(path: string): Promise<File> {
  return openFile(path, { flags: O_RDONLY });
}

export async function openLog(path: string): Promise<File> {
  return openFile(path, { flags: O_WRONLY | O_APPEND | O_CREAT, mode: 0o640 });
}

function openFile(path: string, { flags, mode }: { flags: number; mode?: number }): NodeFile {
  try {
    return new NodeFile(path, fs.openSync(path, flags, mode), (flags & O_APPEND) !== 0);
  } catch (error) {
    throw ioError(error, `cannot open ${path}`);
  }
}

// Larger writes go to a thread, so that a disk that stalls holds up one session and not all. A smaller write goes to
// the page cache in a few microseconds. In a new process the first call that needs a thread costs 1.5 milliseconds.
const AT_ONCE = 16384;

// To free a file of 50 MB takes 6 ms. So that is for a thread, too. In octets.
const LARGE = 1_000_000;

// The kernel's clock for files may be behind ours, but not as much as this.
const BACK = 1000;

class NodeFile implements File {
  readonly #path: string;
  readonly #descriptor: number;
  // node has no lseek(2). So each call says where to write.
  #size = 0;
  readonly #isLog: boolean;

  constructor(path: string, descriptor: number, isLog: boolean) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#isLog = isLog;
  }

  async append(octets: Uint8Array): Promise<void> {
    try {
      for (let from = 0; from < octets.length;) {
        // A log may have other writers, or be no file at all. The kernel finds its end.
        const at = this.#isLog ? null : this.#size;
        const left = octets.length - from;
        const written = octets.length <= AT_ONCE
          ? fs.writeSync(this.#descriptor, octets, from, left, at)
          : await promised((done) => fs.write(this.#descriptor, octets, from, left, at, done));
        from += written;
        this.#size += written;
      }
    } catch (error) {
      throw ioError(error, `cannot write ${this.#path}`);
    }
  }

  async read(into: Uint8Array, at: number): Promise<number | null> {
    if (into.length === 0) return 0;
    try {
      const count = fs.readSync(this.#descriptor, into, 0, into.length, at);
      return count === 0 ? null : count;
    } catch (error) {
      throw ioError(error, `cannot read ${this.#path}`);
    }
  }

  async stat(): Promise<FileFacts> {
    try {
      return factsOf(fs.fstatSync(this.#descriptor));
    } catch (error) {
      throw ioError(error, `cannot look at ${this.#path}`);
    }
  }

  async backdate(): Promise<void> {
    const time = new Date(Date.now() - BACK);
    try {
      fs.futimesSync(this.#descriptor, time, time);
    } catch (error) {
      throw ioError(error, `cannot set the time of ${this.#path}`);
    }
  }

  // Not synchronous: a disk may take a second for it.
  async sync(): Promise<void> {
    try {
      await promised((done) => fs.fsync(this.#descriptor, (error) => done(error, 0)));
    } catch (error) {
      throw ioError(error, `cannot write ${this.#path} to disk`);
    }
  }

  async isUnlocked(): Promise<boolean> {
    const lock = await locker();
    return lock?.(this.#descriptor, "shared") === true;
  }

  async lock(): Promise<boolean> {
    const lock = await locker();
    return lock?.(this.#descriptor, "exclusive") === true;
  }

  /** Locks it and writes `octets` into it in one turn; false if there are no locks. */
  lockWith(lock: Locker, octets: Uint8Array): boolean {
    try {
      return lock(this.#descriptor, "exclusive") && fs.writeSync(this.#descriptor, octets) === octets.length;
    } catch {
      return false;
    }
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}

export async function stat(path: string): Promise<FileFacts> {
  try {
    return factsOf(fs.statSync(path));
  } catch (error) {
    throw ioError(error, `cannot look at ${path}`);
  }
}

export async function lstat(path: string): Promise<FileFacts> {
  try {
    return factsOf(fs.lstatSync(path));
  } catch (error) {
    throw ioError(error, `cannot look at ${path}`);
  }
}

function factsOf(stats: fs.Stats): FileFacts {
  return {
    kind: kindOf(stats),
    size: stats.size,
    modified: Math.floor(stats.mtimeMs),
    changed: Math.floor(stats.ctimeMs),
    executable: (stats.mode & 0o111) !== 0,
    device: stats.dev,
    inode: stats.ino,
    get isOwn() {
      return stats.uid === process.getuid?.();
    },
    // Writable by others, and not sticky (inode(7)).
    isEverybodys: (stats.mode & 0o1002) === 0o0002,
  };
}

function kindOf(stats: fs.Stats): FileFacts["kind"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSocket() ? "socket" : stats.isSymbolicLink() ? "link" : "other";
}

export async function rename(from: string, to: string): Promise<void> {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    throw ioError(error, `cannot rename ${from} to ${to}`);
  }
}

export async function remove(path: string): Promise<void> {
  try {
    const facts = fs.lstatSync(path);
    if (facts.isFile() && facts.size > LARGE) await promised((done) => fs.unlink(path, (error) => done(error, 0)));
    else removeAny(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw ioError(error, `cannot remove ${path}`);
  }
}

function removeAny(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "EISDIR") throw error;
    fs.rmSync(path, { recursive: true });
  }
}

export async function list(directory: string): Promise<string[]> {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    throw ioError(error, `cannot list ${directory}`);
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = openFile(path, { flags: O_RDONLY });
  try {
    await directory.sync();
  } finally {
    directory.close();
  }
}

// A checksum in plain code would take a third of a new process's time for a large message.
export function newChecksum(): Checksum {
  let value = 0;
  return {
    push: (octets) => void (value = bun.hash.crc32(octets, value)),
    get value() {
      return value;
    },
  };
}
