// The spool directory: names for new files, and a check that it can be used.
//
// The name of a mark is `postprox-PID-MARK.lock`, and that of a message's file `postprox-PID-MARK-RANDOM.ENDING`. Without
// a mark it is `postprox-PID-RANDOM.ENDING`. MARK and RANDOM are UUIDs with 122 random bits from the system. The files of
// one message have different endings. The process id is only for people, because another container or host may use the
// same one.

import { IoError } from "../ports/io_error.ts";
import { LF } from "../text/octets.ts";
import type { FileFacts, Files } from "../ports/runtime.ts";
import { orTempfail } from "../ports/start_error.ts";

/**
 * The message, the message with another header, a program's own version of it, the copy that a program may change, its
 * recipients, and the mark of use. A second file of a kind has a number. A probe belongs to no message, and exists for a
 * moment.
 */
const ENDINGS = ["eml", "head", "out", "edit", "rcpt", "lock", "probe"] as const;

export type SpoolEnding = typeof ENDINGS[number];

const NAME = new RegExp(`^(postprox-[0-9]+-[0-9a-f-]{36})(?:-[0-9a-f-]{36})?\\.(?:${ENDINGS.join("|")})[0-9]*$`);

/** A new name in the spool, without directory and ending. */
export function newSpoolName(pid: number): string {
  return `postprox-${pid}-${crypto.randomUUID()}`;
}

/** The name of a message that is in use under a mark with the name `mark`. */
export function markedName(name: string, mark: string | undefined): string {
  return mark === undefined ? name : name.replace(/^postprox-[0-9]+/, mark);
}

/** The path of a file with the `name` of a message or a mark in `directory`. */
export function spoolPath(
  { directory, name }: { directory: string; name: string },
  ending: SpoolEnding,
  number = 1,
): string {
  return `${directory}/${name}.${ending}${number === 1 ? "" : number}`;
}

/** The name of the mark for a file, if it has one; undefined if the file is not from a spool. */
export function markOf(file: string): string | undefined {
  return NAME.exec(file)?.[1];
}

// A full disk may have room for a new name, but for no content.
const PROBE_CONTENT = new Uint8Array([LF]);

/**
 * Throws an `IoError` that says why `directory` cannot hold spool files. Small messages that no filter looks at need no
 * content on disk. `withContent` checks for room for content, too. Returns what is known of the directory.
 */
export async function checkSpoolDirectory(
  files: Files,
  directory: string,
  { pid, withContent }: { pid: number; withContent: boolean },
): Promise<FileFacts> {
  const facts = await files.stat(directory);
  if (facts.kind !== "directory") throw new IoError("other", `${directory} is not a directory`);
  const path = spoolPath({ directory, name: newSpoolName(pid) }, "probe");
  const probe = await files.create(path);
  try {
    if (withContent) await probe.append(PROBE_CONTENT);
  } finally {
    probe.close();
    await files.remove(path);
  }
  return facts;
}

/** Like `checkSpoolDirectory`, for the start of a command. Throws a `TempfailError`. */
export async function startSpoolDirectory(...asked: Parameters<typeof checkSpoolDirectory>): Promise<FileFacts> {
  return await orTempfail("-d, --tempdir", checkSpoolDirectory(...asked), () => "give a directory that can be written");
}
