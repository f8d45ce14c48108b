// Opens files of the quarantine. A filter may have taken over its user, and root may be the reader. A link there must
// not lead root to another file.

import { IoError } from "../ports/io_error.ts";
import type { File, Files } from "../ports/runtime.ts";
import { isSameFile } from "../spool/content.ts";
import { concat } from "../text/octets.ts";

const READ_SIZE = 65_536;

/** Opens the file at `path` for reading. Throws an `IoError`, also if it is no regular file. */
export async function openRegular(files: Files, path: string): Promise<File> {
  const before = await files.lstat(path);
  if (before.kind !== "file") throw new IoError("other", `${path} is no regular file`);
  const file = await files.open(path);
  try {
    const now = await file.stat();
    // Somebody may have put a link there in between.
    if (now.kind === "file" && isSameFile(now, before)) return file;
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  throw new IoError("other", `${path} was put in the place of another file just now`);
}

/** Reads the whole file at `path`, at most `limit` octets. Throws `IoError`. */
export async function readRegular(files: Files, path: string, limit: number): Promise<Uint8Array> {
  const file = await openRegular(files, path);
  try {
    const parts: Uint8Array[] = [];
    for (let size = 0;;) {
      const room = new Uint8Array(READ_SIZE);
      const count = await file.read(room, size);
      if (count === null) return concat(parts);
      parts.push(room.subarray(0, count));
      size += count;
      if (size > limit) throw new IoError("other", `${path} is larger than ${limit} octets`);
    }
  } finally {
    file.close();
  }
}
