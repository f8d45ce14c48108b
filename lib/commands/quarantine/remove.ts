// `postprox quarantine delete ID…` and `expire DAYS`: remove messages that nobody wants any more.
//
// A message that another process has locked stays, because it is just being released. `expire` also removes old parts
// that a killed process left over. It leaves parts that may still become a message.

import { IoError } from "../../ports/io_error.ts";
import type { File } from "../../ports/runtime.ts";
import { isThere, lockMessage, readContents, timeOf } from "../../quarantine/contents.ts";
import { pathIn } from "../../quarantine/names.ts";
import { removeCopy } from "../../quarantine/store.ts";
import type { Place } from "./place.ts";
import { formatAge } from "./units.ts";

// A younger part may belong to a process that has not got its lock yet.
const YOUNGEST_PART = 60_000;

// Eight days. No time limit of a message can be longer than seven.
const OLDEST_USE = 8 * 86_400_000;

export async function deleteMessages(place: Place, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    if (await orProblem(place, id, () => removeKept(place, id))) await place.report.result(`${id} deleted`, doneTo(id));
  }
}

/** Removes everything that is older than `age` in milliseconds. */
export async function expire(place: Place, age: number): Promise<void> {
  const { files, directory, report, now } = place;
  const { kept, parts, foreign } = await readContents(files, directory);
  for (const id of [...kept, ...parts]) {
    await orProblem(place, id, async () => {
      const isPart = !kept.includes(id);
      const old = now - await timeOf(files, directory, id);
      if (old <= Math.max(age, isPart ? YOUNGEST_PART : 0)) return;
      if (!(isPart ? await removePart(place, id, old) : await removeKept(place, id))) return;
      const words = `${id} removed after ${formatAge(old)}${isPart ? ": a part that was left over" : ""}`;
      await report.result(words, { ...doneTo(id), part: isPart });
    });
  }
  for (const name of foreign) report.note(`${directory}/${name} is no file of the quarantine, and stays`);
}

function doneTo(id: string): object {
  return { id, outcome: "deleted" };
}

async function orProblem<Result>(
  { report }: Place,
  id: string,
  deed: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await deed();
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    report.problem(`${id} cannot be removed: ${error.message}`);
    return undefined;
  }
}

/** Whether it was there and is now removed. */
async function removeKept(place: Place, id: string): Promise<boolean> {
  const { files, directory, report } = place;
  const lock = await lockIfThere(place, id);
  if (lock === "busy") {
    report.problem(`${id} stays: somebody else is at work on it`);
    return false;
  }
  try {
    if (await isThere(files, pathIn(directory, id, "json"))) {
      await removeCopy(files, directory, id);
      return true;
    }
    report.problem(`${id} is not in the quarantine`);
    return false;
  } finally {
    lock?.close();
  }
}

/** Removes it if it is certain that nobody uses it. Returns whether it did. */
async function removePart(place: Place, id: string, old: number): Promise<boolean> {
  const { files, directory } = place;
  const lock = await lockIfThere(place, id);
  if (lock === "busy" && old < OLDEST_USE) return false;
  try {
    // It may have become a message by now.
    if (await isThere(files, pathIn(directory, id, "json"))) return false;
    await removeCopy(files, directory, id);
    return true;
  } finally {
    if (lock !== "busy") lock?.close();
  }
}

// A message without its file, or with something else in its place, has nothing to lock.
async function lockIfThere({ files, directory }: Place, id: string): Promise<File | "busy" | undefined> {
  const path = pathIn(directory, id, "eml");
  try {
    if ((await files.lstat(path)).kind !== "file") return undefined;
    return await lockMessage(files, directory, id) ?? "busy";
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return undefined;
    throw error;
  }
}
