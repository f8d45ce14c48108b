// The files of one message in the spool directory: their names, the mark that they are in use, their removal.
//
// They are made with O_EXCL and mode 0600 under a name that nobody can guess. All I/O failures are thrown as `IoError`.
// After any failure, `remove` still leaves nothing behind.

import type { File, Files, Turn } from "../ports/runtime.ts";
import { readChunks } from "./content.ts";
import { markedName, type SpoolEnding, spoolPath } from "./directory.ts";
import type { Mark, Marks } from "./mark.ts";

export interface SpoolOptions {
  readonly directory: string;
  /** From `newSpoolName`. */
  readonly name: string;
  /** Programs will open the files by their names, under one of these. Absent: a file loses its name as soon as it is open. */
  readonly marks?: Marks | undefined;
  readonly turn: Turn;
}

export class SpoolFiles {
  readonly disk: Files;
  readonly #options: SpoolOptions;
  readonly #paths: string[] = [];
  readonly #open: File[] = [];
  readonly #counts = new Map<SpoolEnding, number>();
  #mark: Promise<Mark | undefined> | undefined;

  constructor(disk: Files, options: SpoolOptions) {
    this.disk = disk;
    this.#options = options;
  }

  /** Whether programs will open the files by their names. */
  get named(): boolean {
    return this.#options.marks !== undefined;
  }

  /** Makes a new empty file. Before the first file that keeps its name it takes a mark. */
  async create(ending: SpoolEnding): Promise<{ path: string; file: File }> {
    const { directory, marks } = this.#options;
    const mark = await (this.#mark ??= marks?.take(directory));
    const name = markedName(this.#options.name, mark?.name);
    const number = (this.#counts.get(ending) ?? 0) + 1;
    this.#counts.set(ending, number);
    const path = spoolPath({ directory, name }, ending, number);
    const file = await this.disk.create(path);
    if (marks) this.#paths.push(path);
    else await this.#forget(path, file);
    return { path, file };
  }

  /** The first `length` octets of a file. Other work has its turns between the pieces. */
  read(file: File, length: number): AsyncGenerator<Uint8Array> {
    return readChunks(file, length, this.#options.turn);
  }

  /** Closes `file` when the message is removed. */
  closeLater(file: File): void {
    this.#open.push(file);
  }

  /** Undefined if there is nothing to remove. */
  remove(): Promise<void> | undefined {
    const hasFiles = this.#open.length > 0 || this.#paths.length > 0 || this.#mark !== undefined;
    return hasFiles ? this.#removeAll() : undefined;
  }

  async #removeAll(): Promise<void> {
    for (const file of this.#open.splice(0)) file.close();
    // If one removal fails, the others still happen.
    const removals = await Promise.allSettled(this.#paths.splice(0).map((path) => this.disk.remove(path)));
    const mark = await this.#mark;
    this.#mark = undefined;
    // It goes last: if the process is killed meanwhile, a sweep knows by it that the others are left over.
    removals.push(...await Promise.allSettled([mark?.release()]));
    for (const removal of removals) if (removal.status === "rejected") throw removal.reason;
  }

  // Even a SIGKILL leaves no file behind that has no name.
  async #forget(path: string, file: File): Promise<void> {
    try {
      await this.disk.remove(path);
    } catch (error) {
      this.#paths.push(path);
      file.close();
      throw error;
    }
  }
}
