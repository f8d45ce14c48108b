// The mark that the files of a message are in use: a file beside them, which their process keeps locked until its end.
//
// Who sweeps a directory may be in another container than who uses it, where process ids mean nothing, or on another
// host. The kernel releases a lock (flock(2)) when the process ends, however it ends, and shows it to everybody who has
// the same file system; but it knows nothing of other hosts, nor of what else shows the same files. So the mark says
// whose lock it is: the kernel by the id of its boot, and the file system by its number. Only who finds both the same can
// tell that nobody uses the files. The words are written when the lock is held, so they are never seen without it.
//
// Where there are no locks, or /proc is not there, there is no mark: nobody can tell then.

import { IoError } from "../ports/io_error.ts";
import type { File, Files } from "../ports/runtime.ts";
import { bytesOf, textOf } from "../text/octets.ts";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

// More than a mark or the id of a boot has.
const READ_SIZE = 200;

/** Marks files in `directory` as in use until `close`; undefined where that cannot be. The mark is the file at `path`. */
export async function mark(files: Files, directory: string, path: string): Promise<File | undefined> {
  const words = await orUndefined(wordsFor(files, directory));
  return words === undefined ? undefined : await orUndefined(files.createLocked(path, bytesOf(words)));
}

/**
 * Whether it is certain that nobody uses the files in `directory` which the mark at `path` is for. `isAlone`: there are
 * none. An empty mark is left over then, too, of a process that was killed while it made it; one that is making it will do
 * without.
 */
export async function isAbandoned(
  files: Files,
  directory: string,
  { path, isAlone }: { path: string; isAlone: boolean },
): Promise<boolean> {
  const facts = await orUndefined(files.stat(path));
  // Anybody may have put what is not ours there, in a directory such as /tmp.
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

/** What a mark in `directory` says here and now. */
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
