// Sweeps the spool directory: it removes what killed processes left there, and nothing that anybody may still need.
//
// The files of messages are removed if their process is certainly gone (mark.ts). Without a usable mark they are removed
// when no session can be so old. That is for files of another host, files that could not be marked, and files of version
// 1.0.0. A probe has no mark. Its process needs it for a moment only, unless it is killed just then.

import { IoError } from "../ports/io_error.ts";
import type { Files } from "../ports/runtime.ts";
import { markOf, newSpoolName, spoolPath } from "./directory.ts";
import { isAbandoned } from "./mark.ts";

// Eight days, in milliseconds. No time limit is longer than seven, not even the session's.
const OLDEST_USE = 8 * 86_400_000;

// A process that makes a mark has done so within this time, and it has removed its probe. In milliseconds.
const OLDEST_MOMENT = 2_000;

export interface Sweep {
  readonly removed: readonly string[];
  /**
   * Files that it could not look at or remove, for example of another user in a shared /tmp. It does not stop for them.
   */
  readonly failures: readonly string[];
}

/** Sweeps `directory` before the first message of this process. `pid` is its id. */
export async function sweepSpoolDirectory(
  { files, pid }: { files: Files; pid: number },
  directory: string,
): Promise<Sweep> {
  const removed: string[] = [];
  const failures: string[] = [];
  const orNote = async <Outcome>(attempt: Promise<Outcome>): Promise<Outcome | undefined> => {
    try {
      return await attempt;
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      // The file's own process has just removed it.
      if (error.kind !== "missing") failures.push(error.message);
      return undefined;
    }
  };
  const now = await orNote(timeIn(files, directory, pid));
  const isOld = async (path: string) => {
    const facts = await orNote(files.stat(path));
    return facts !== undefined && isOlderThan(OLDEST_MOMENT, { now, changed: facts.changed });
  };
  const listed = async () => groups(directory, await orNote(files.list(directory)) ?? []);
  for (const [name, seen] of await listed()) {
    const lock = spoolPath({ directory, name }, "lock");
    const isAllLeft = async (paths: readonly string[]) =>
      paths.includes(lock) &&
      await isAbandoned(files, directory, { path: lock, isAlone: paths.length === 1 && await isOld(lock) });
    let paths = seen;
    let isLeft = await isAllLeft(paths);
    if (isLeft) {
      // Its process may have made more files after we looked, and before its end.
      paths = (await listed()).get(name) ?? [];
      isLeft = await isAllLeft(paths);
    }
    // The mark goes last: without it nobody could decide about the others.
    for (const path of [...paths.filter((path) => path !== lock), ...paths.filter((path) => path === lock)]) {
      await orNote((async () => {
        const { kind, changed } = await files.stat(path);
        const oldest = path.endsWith(".probe") ? OLDEST_MOMENT : OLDEST_USE;
        if (kind !== "file" || !(isLeft || isOlderThan(oldest, { now, changed }))) return;
        await files.remove(path);
        removed.push(path);
      })());
    }
  }
  return { removed, failures };
}

/** The files under each mark. */
function groups(directory: string, files: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of files) {
    const name = markOf(file);
    if (name === undefined) continue;
    const paths = found.get(name) ?? [];
    found.set(name, paths);
    paths.push(`${directory}/${file}`);
  }
  return found;
}

// The time of a file that changes now. The directory may be on another host, with another clock.
async function timeIn(files: Files, directory: string, pid: number): Promise<number | undefined> {
  const path = spoolPath({ directory, name: newSpoolName(pid) }, "probe");
  const file = await files.create(path);
  try {
    return (await file.stat()).changed;
  } finally {
    file.close();
    await files.remove(path);
  }
}

function isOlderThan(
  limit: number,
  { now, changed }: { now: number | undefined; changed: number | undefined },
): boolean {
  return now !== undefined && changed !== undefined && now - changed > limit;
}
