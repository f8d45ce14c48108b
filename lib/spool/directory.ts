// The spool directory: names for new files, a check that it can be used, and the sweep of what a killed process left.
//
// A name is `postprox-PID-RANDOM`, RANDOM being a UUID with 122 bits from the system. The process id is there for the
// sweep: a file is left over when no process has that id. So processes that share a directory must share their process
// ids too; a container wants a spool directory of its own.

import { IoError } from "../runtime/io_error.ts";
import { LF } from "../smtp/bytes.ts";
import type { Files, Processes } from "../runtime/ports.ts";

const NAME = /^postprox-([0-9]+)-[0-9a-f-]{36}\.(?:eml|out|edit)$/;

/** A new name in the spool, without directory and ending. */
export function newSpoolName(pid: number): string {
  return `postprox-${pid}-${crypto.randomUUID()}`;
}

// A full disk may well have room for a new name and for nothing more.
const PROBE_CONTENT = new Uint8Array([LF]);

/**
 * Throws an `IoError` that says why `directory` cannot hold spool files. `withContent`: nor any content, of which small
 * messages that no filter looks at need none.
 */
export async function checkSpoolDirectory(
  files: Files,
  directory: string,
  { pid, withContent }: { pid: number; withContent: boolean },
): Promise<void> {
  const facts = await files.stat(directory);
  if (facts.kind !== "directory") throw new IoError("other", `${directory} is not a directory`);
  const path = `${directory}/${newSpoolName(pid)}.eml`;
  const probe = await files.create(path);
  try {
    if (withContent) await probe.append(PROBE_CONTENT);
  } finally {
    probe.close();
    await files.remove(path);
  }
}

/**
 * Removes spool files whose process is gone, or had our own id and so was another one: before the first message there are
 * no files of ours. What cannot be looked at or removed, being another user's in a shared /tmp, is no reason to stop.
 */
export async function sweepSpoolDirectory(
  { files, processes, pid }: { files: Files; processes: Processes; pid: number },
  directory: string,
): Promise<{ removed: string[]; failures: string[] }> {
  const removed: string[] = [];
  const failures: string[] = [];
  const orNote = async (step: () => Promise<void>) => {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      failures.push(error.message);
    }
  };
  await orNote(async () => {
    for (const name of await files.list(directory)) {
      const owner = NAME.exec(name)?.[1];
      if (owner === undefined || (Number(owner) !== pid && await processes.isAlive(Number(owner)))) continue;
      const path = `${directory}/${name}`;
      await orNote(async () => {
        if ((await files.stat(path)).kind !== "file") return;
        await files.remove(path);
        removed.push(path);
      });
    }
  });
  return { removed, failures };
}
