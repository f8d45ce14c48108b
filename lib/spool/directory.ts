// The spool directory: names for new files, a check that it can be used, and the sweep of what a killed process left.
//
// A name is `postprox-PID-RANDOM`, RANDOM being a UUID with 122 bits from the system. The process id is there for the sweep: a file is
// left over when no process has that id. So processes that share a directory must share their process ids too; a
// container wants a spool directory of its own.

import { IoError } from "../runtime/io_error.ts";
import type { Files, Processes } from "../runtime/ports.ts";

const NAME = /^postprox-([0-9]+)-[0-9a-f-]{36}\.(?:eml|out)$/;

/** A new name in the spool, without directory and ending. */
export function newSpoolName(pid: number): string {
  return `postprox-${pid}-${crypto.randomUUID()}`;
}

/** Throws an `IoError` that says why `directory` cannot hold spool files. */
export async function checkSpoolDirectory(files: Files, directory: string, pid: number): Promise<void> {
  const facts = await files.stat(directory);
  if (facts.kind !== "directory") throw new IoError("other", `${directory} is not a directory`);
  const path = `${directory}/${newSpoolName(pid)}.eml`;
  const probe = await files.create(path);
  probe.close();
  await files.remove(path);
}

/** Removes spool files whose process is gone; gives the paths of those that were there. */
export async function sweepSpoolDirectory(files: Files, processes: Processes, directory: string): Promise<string[]> {
  const swept: string[] = [];
  for (const name of await files.list(directory)) {
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined || await processes.isAlive(Number(pid))) continue;
    try {
      await files.remove(`${directory}/${name}`);
      swept.push(`${directory}/${name}`);
    } catch (error) {
      // Another user's, in a shared directory such as /tmp: not ours to remove.
      if (!(error instanceof IoError && error.kind === "denied")) throw error;
    }
  }
  return swept;
}
