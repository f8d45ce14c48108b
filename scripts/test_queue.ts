// The order of the test files, and the file that a free place takes next. Pure.
//
// The files that take longest go first. A file that changes something which a machine has only once waits until no
// other such file runs. Files that mostly wait have a place of their own, which takes nothing else. So the other places
// take them last.

import { isAlone, isIn, isLong, isWaiting, SUITES } from "../tests/needs.ts";

/** A place takes any file, or only files that mostly wait. */
export type Place = "any" | "waiting";

export class TestQueue {
  readonly #left: string[];
  readonly #places: readonly Place[];
  #isOneAlone = false;

  /** `files` are names below tests/. */
  constructor(files: readonly string[], places: readonly Place[]) {
    this.#left = files.toSorted((a, b) => rank(a) - rank(b));
    this.#places = places;
  }

  /** The next file for this place. Undefined: the place is not needed any more. */
  take(place: Place): string | undefined {
    // If only files that run alone are left, the place that runs one takes the next.
    const free = this.#left.filter((file) => !(this.#isOneAlone && isAlone(file)));
    const waiting = free.find(isWaiting);
    const other = this.#places.includes("waiting") ? free.find((file) => !isWaiting(file)) ?? waiting : free[0];
    const file = place === "waiting" ? waiting : other;
    if (file === undefined) return undefined;
    this.#left.splice(this.#left.indexOf(file), 1);
    if (isAlone(file)) this.#isOneAlone = true;
    return file;
  }

  /** Says that a file is done. */
  release(file: string): void {
    if (isAlone(file)) this.#isOneAlone = false;
  }
}

function rank(file: string): number {
  if (isAlone(file)) return 0;
  if (isLong(file)) return 1;
  return SUITES.some(({ where }) => isIn(where, file)) ? 2 : 3;
}
