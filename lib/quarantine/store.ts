// The store of kept messages: a directory with two files for each. Only this file changes it.
//
// `ID.json` gets its name last, when both files and their names are on disk (fsync). It is removed first. So after a
// SIGKILL or a power failure at any moment, a message is kept whole or not at all. Parts without an `ID.json` may be
// left over. All failures are thrown as `IoError`. Memory does not grow with the message.

import { IoError } from "../ports/io_error.ts";
import type { File, Files } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { type Ending, newId, pathIn } from "./names.ts";
import { formatRecord, type QuarantineRecord } from "./record.ts";

/**
 * Throws an `IoError` that says why no message can be kept in `directory`. `mayWait`: it also waits for the disk once, as
 * each message does. Spawn mode is a process for each message, and most messages are not kept.
 */
export async function checkQuarantineDirectory(
  files: Files,
  directory: string,
  { mayWait }: { mayWait: boolean },
): Promise<void> {
  const { kind } = await files.stat(directory);
  if (kind !== "directory") throw new IoError("other", `${directory} is not a directory`);
  const path = pathIn(directory, newId(), "new");
  const probe = await files.create(path);
  try {
    probe.close();
    if (mayWait) await files.syncDirectory(directory);
  } finally {
    await files.remove(path);
  }
}

export interface Copy {
  readonly record: QuarantineRecord;
  chunks(): AsyncIterable<Uint8Array>;
  /** Called between operations. It throws an `IoError` when nobody wants the copy any more. */
  goOn(): void;
}

/**
 * Keeps a message. When it returns, the message is on disk. If it throws, it has removed everything that can be
 * removed.
 */
export async function writeCopy(files: Files, directory: string, copy: Copy): Promise<void> {
  const { record } = copy;
  const paths = pathsOf(directory, record.id);
  const message = await files.create(paths.eml);
  try {
    // The lock shows others that this part is not left over.
    await message.lock();
    for await (const chunk of copy.chunks()) {
      copy.goOn();
      await message.append(chunk);
      // This also prevents reading the next piece.
      copy.goOn();
    }
    await message.sync();
    copy.goOn();
    await writeRecord(files, paths.new, record);
    await files.syncDirectory(directory);
    copy.goOn();
    await files.rename(paths.new, paths.json);
    await files.syncDirectory(directory);
    copy.goOn();
  } catch (error) {
    await removeQuietly(files, [paths.json, paths.new, paths.eml]);
    throw error;
  } finally {
    message.close();
  }
}

/** Replaces the record of a message. The caller must hold the lock of the message. */
export async function replaceRecord(files: Files, directory: string, record: QuarantineRecord): Promise<void> {
  const paths = pathsOf(directory, record.id);
  // A killed process may have left it.
  await removeFile(files, paths.new);
  try {
    await writeRecord(files, paths.new, record);
    await files.rename(paths.new, paths.json);
  } catch (error) {
    await removeQuietly(files, [paths.new]);
    throw error;
  }
  await files.syncDirectory(directory);
}

/** Removes all files of a message. Once its record is gone, it is not kept any more. */
export async function removeCopy(files: Files, directory: string, id: string): Promise<void> {
  const paths = pathsOf(directory, id);
  await removeFile(files, paths.json);
  await files.syncDirectory(directory);
  await removeFile(files, paths.new);
  await removeFile(files, paths.eml);
}

function pathsOf(directory: string, id: string): Readonly<Record<Ending, string>> {
  const [eml, json, made] = [pathIn(directory, id, "eml"), pathIn(directory, id, "json"), pathIn(directory, id, "new")];
  return { eml, json, new: made };
}

async function writeRecord(files: Files, path: string, record: QuarantineRecord): Promise<void> {
  const file: File = await files.create(path);
  try {
    for (const piece of formatRecord(record)) await file.append(bytesOf(piece));
    await file.sync();
  } finally {
    file.close();
  }
}

// A directory with such a name is not ours, and may hold anything.
async function removeFile(files: Files, path: string): Promise<void> {
  try {
    if ((await files.lstat(path)).kind === "directory") throw new IoError("other", `${path} is a directory`);
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return;
    throw error;
  }
  await files.remove(path);
}

// The error from before counts.
async function removeQuietly(files: Files, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await files.remove(path);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
    }
  }
}
