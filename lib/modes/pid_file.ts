// The file of --pid-file: it holds the id of the process that serves, and a line end.
//
// It appears whole, with mode 0644. It takes the place of a file that a killed process left behind. At the end it is
// removed, if it is still ours and the user may do so.

import { IoError } from "../ports/io_error.ts";
import type { Files, Runtime } from "../ports/runtime.ts";
import { readTextFile } from "../ports/small_file.ts";
import { bytesOf } from "../text/octets.ts";

/** Throws `IoError`. */
export async function writePidFile({ files, pid }: Pick<Runtime, "files" | "pid">, path: string): Promise<void> {
  // A rename would also put the file in the place of a device.
  const kind = await kindOf(files, path);
  if (kind !== undefined && kind !== "file" && kind !== "link") throw new IoError("other", `${path} is not a file`);
  const made = `${path}.new`;
  const before = await kindOf(files, made);
  // A killed process may have left it.
  if (before === "file") await files.remove(made);
  else if (before !== undefined) throw new IoError("exists", `${made} is in the way`);
  try {
    await writeWhole(files, { made, path, text: textOf(pid) });
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    // The administrator has named the other one.
    throw new IoError(error.kind, error.message.replaceAll(made, path), { cause: error });
  }
}

async function writeWhole(files: Files, { made, path, text }: { made: string; path: string; text: string }) {
  const file = await files.createReadable(made);
  try {
    await file.append(bytesOf(text));
    await files.rename(made, path);
  } catch (error) {
    await removeQuietly(files, made);
    throw error;
  } finally {
    file.close();
  }
}

/** Removes the file of this process. It is no error if it cannot. */
export async function removePidFile({ files, pid }: Pick<Runtime, "files" | "pid">, path: string): Promise<void> {
  try {
    // To open anything else could wait for long.
    if (await kindOf(files, path) !== "file" || await readTextFile(files, path) !== textOf(pid)) return;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return;
  }
  await removeQuietly(files, path);
}

function textOf(pid: number): string {
  return `${pid}\n`;
}

/** Undefined if nothing is there. */
async function kindOf(files: Files, path: string): Promise<string | undefined> {
  try {
    return (await files.lstat(path)).kind;
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return undefined;
    throw error;
  }
}

async function removeQuietly(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}
