// Reads the quarantine: the messages that are kept, parts that are left over, and foreign files.
//
// Others may keep, release and remove messages meanwhile. So it is no fault if a name is suddenly gone. All failures of
// the directory itself are thrown as `IoError`. A failure of a single message is reported with that message.

import { IoError } from "../ports/io_error.ts";
import type { File, Files } from "../ports/runtime.ts";
import { textOf } from "../text/octets.ts";
import { parseName, pathIn, timeOfId } from "./names.ts";
import { parseRecord, type QuarantineRecord, RecordError } from "./record.ts";
import { openRegular, readRegular } from "./regular_file.ts";

// A record of 20000 recipients has 2 MB. With the longest addresses it has 40.
const RECORD_LIMIT = 64 * 1024 * 1024;

/** The names in a quarantine, in the order of time. */
export interface Contents {
  /** Ids with a record. */
  readonly kept: readonly string[];
  /** Ids without a record. */
  readonly parts: readonly string[];
  /** Names that the quarantine does not give. */
  readonly foreign: readonly string[];
}

export async function readContents(files: Files, directory: string): Promise<Contents> {
  const kept = new Set<string>();
  const ids = new Set<string>();
  const foreign: string[] = [];
  for (const name of await files.list(directory)) {
    const parsed = parseName(name);
    if (!parsed) foreign.push(name);
    else {
      ids.add(parsed.id);
      if (parsed.ending === "json") kept.add(parsed.id);
    }
  }
  return { kept: [...kept].sort(), parts: [...ids].filter((id) => !kept.has(id)).sort(), foreign: foreign.sort() };
}

/** A kept message: its record, or the reason why it cannot be trusted. */
export type Entry =
  | { readonly id: string; readonly record: QuarantineRecord }
  | { readonly id: string; readonly damage: string };

/** The message with this id; undefined if it is not kept, or was removed just now. */
export async function readEntry(files: Files, directory: string, id: string): Promise<Entry | undefined> {
  try {
    const record = await readRecord(files, directory, id);
    if (!record) return undefined;
    const { kind, size } = await files.lstat(pathIn(directory, id, "eml"));
    if (kind !== "file") return { id, damage: `${id}.eml is no regular file` };
    if (size !== record.size) return { id, damage: `${id}.eml has ${size} octets, and its record says ${record.size}` };
    return { id, record };
  } catch (error) {
    if (!(error instanceof IoError || error instanceof RecordError)) throw error;
    if (!await isThere(files, pathIn(directory, id, "json"))) return undefined;
    return { id, damage: error instanceof RecordError ? `${id}.json: ${error.message}` : error.message };
  }
}

/** The record of a message; undefined if there is none. Throws `IoError` and `RecordError`. */
export async function readRecord(files: Files, directory: string, id: string): Promise<QuarantineRecord | undefined> {
  const path = pathIn(directory, id, "json");
  if (!await isThere(files, path)) return undefined;
  return parseRecord(textOf(await readRegular(files, path, RECORD_LIMIT)), id);
}

/** Whether a name is taken, even by a link to nothing. Throws `IoError`. */
export async function isThere(files: Files, path: string): Promise<boolean> {
  try {
    await files.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return false;
    throw error;
  }
}

/**
 * The message's file, locked until it is closed; undefined if another process has locked it, or there are no locks. To
 * change or remove a message, hold this lock, and look at the record only then. Throws `IoError`.
 */
export async function lockMessage(files: Files, directory: string, id: string): Promise<File | undefined> {
  const file = await openRegular(files, pathIn(directory, id, "eml"));
  if (await file.lock()) return file;
  file.close();
  return undefined;
}

/**
 * The time when a message was kept or its part was written: the earlier one of its id's and its file's. In milliseconds
 * since 1970.
 */
export async function timeOf(files: Files, directory: string, id: string): Promise<number> {
  const times = [timeOfId(id) ?? Infinity];
  for (const ending of ["eml", "json", "new"] as const) {
    try {
      times.push((await files.lstat(pathIn(directory, id, ending))).modified ?? Infinity);
      break;
    } catch (error) {
      if (!(error instanceof IoError && error.kind === "missing")) throw error;
    }
  }
  return Math.min(...times);
}
