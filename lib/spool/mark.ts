// The mark that the files of messages are in use. It is a file beside them, which their process locks until its end.
//
// Messages that are under way at the same time share a mark, because it costs as much as two other files. The names of
// their files begin with the name of the mark. The last of the messages removes it.
//
// One process sweeps a directory that another one uses. They may run in different containers, where process ids mean
// nothing, or on different hosts. The kernel releases a lock (flock(2)) when the process ends in any way. Everybody who
// has the same file system sees the lock. But the kernel does not know the locks of other hosts, or of other file
// systems that show the same files. So the mark names the owner of its lock: the id of the kernel's boot, and the
// number of the file system. If both are the same here, the lock tells whether somebody uses the files. The mark gets
// its text under the lock. So nobody sees the text without a lock.
//
// If the system has no locks or no /proc, there is no mark. Then nobody can tell.

import { IoError } from "../ports/io_error.ts";
import type { Clock, File, Files } from "../ports/runtime.ts";
import { bytesOf, textOf } from "../text/octets.ts";
import { newSpoolName, spoolPath } from "./directory.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

// A mark or a boot id is shorter.
const READ_SIZE = 200;

// A server that is never idle would keep one mark for weeks, and cleaners of /tmp remove old files. In milliseconds.
const SHARED_TIME = 3_600_000;

/** Marks files in `directory` as in use until `close`; undefined if it cannot. The mark is the file at `path`. */
export async function mark(files: Files, directory: string, path: string): Promise<File | undefined> {
  const words = await orUndefined(wordsFor(files, directory));
  return words === undefined ? undefined : await orUndefined(files.createLocked(path, bytesOf(words)));
}

/** The marks of this process. */
export class Marks {
  readonly #ports: MarkPorts;
  #newest: Mark | undefined;

  constructor(ports: MarkPorts) {
    this.#ports = ports;
  }

  /** A mark for one more message in `directory`, until its `release`; undefined if there can be none. */
  async take(directory: string): Promise<Mark | undefined> {
    if (!this.#newest?.isFor(directory)) this.#newest = new Mark(this.#ports, directory);
    const mark = this.#newest;
    if (await mark.take()) return mark;
    // The next message tries again.
    if (this.#newest === mark) this.#newest = undefined;
    return undefined;
  }
}

interface MarkPorts {
  readonly files: Files;
  readonly clock: Pick<Clock, "now">;
  readonly pid: number;
}

export class Mark {
  readonly name: string;
  readonly #ports: MarkPorts;
  readonly #directory: string;
  readonly #since: number;
  readonly #file: Promise<File | undefined>;
  #messages = 0;
  #isOver = false;

  constructor(ports: MarkPorts, directory: string) {
    this.name = newSpoolName(ports.pid);
    this.#ports = ports;
    this.#directory = directory;
    this.#since = ports.clock.now();
    this.#file = mark(ports.files, directory, this.#path);
  }

  /** Whether one more message in `directory` may share it. */
  isFor(directory: string): boolean {
    return !this.#isOver && directory === this.#directory && this.#ports.clock.now() - this.#since < SHARED_TIME;
  }

  /** Counts one more message. False if the mark could not be made. */
  async take(): Promise<boolean> {
    this.#messages++;
    return await this.#file !== undefined;
  }

  /** Says that a message has no files any more. Throws `IoError` if the mark cannot be removed. */
  async release(): Promise<void> {
    if (--this.#messages > 0) return;
    this.#isOver = true;
    try {
      await this.#ports.files.remove(this.#path);
    } finally {
      (await this.#file)?.close();
    }
  }

  get #path(): string {
    return spoolPath({ directory: this.#directory, name: this.name }, "lock");
  }
}

/**
 * Whether it is certain that nobody uses the files in `directory` that the mark at `path` is for. `isAlone` says that
 * there are no such files, and that the mark is not new. Then an empty mark is abandoned, too: its process was killed while
 * it made the mark. A process that is still making it manages without.
 */
export async function isAbandoned(
  files: Files,
  directory: string,
  { path, isAlone }: { path: string; isAlone: boolean },
): Promise<boolean> {
  const facts = await orUndefined(files.stat(path));
  // In a directory such as /tmp, anybody may have put a file there.
  if (facts?.kind !== "file" || !facts.isOwn) return false;
  if (facts.size === 0) return isAlone;
  const words = await orUndefined(wordsFor(files, directory));
  const file = words && await orUndefined(files.open(path));
  if (!file) return false;
  try {
    return await orUndefined(beginningOf(file)) === words && await file.isUnlocked();
  } finally {
    file.close();
  }
}

/** The text of a mark in `directory`, made here and now. */
async function wordsFor(files: Files, directory: string): Promise<string> {
  const { device } = await files.stat(directory);
  const file = await files.open(BOOT_ID);
  try {
    return `boot ${(await beginningOf(file)).trim()} device ${device}\n`;
  } finally {
    file.close();
  }
}

async function beginningOf(file: File): Promise<string> {
  const octets = new Uint8Array(READ_SIZE);
  const count = await file.read(octets, 0);
  return textOf(octets.subarray(0, count ?? 0));
}

async function orUndefined<Outcome>(attempt: Promise<Outcome>): Promise<Outcome | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return undefined;
  }
}
