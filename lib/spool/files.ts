// The files of one message in the spool directory: their names, the mark that they are in use, their removal.
//
// They are made with O_EXCL and mode 0600 under a name that nobody can guess. All I/O failures are thrown as `IoError`.
// `remove` leaves nothing behind, whatever happened before.

import type { File, Files } from "../ports/runtime.ts";
import { type SpoolEnding, spoolPath } from "./directory.ts";
import { mark } from "./mark.ts";

export interface SpoolOptions {
  readonly directory: string;
  /** `newSpoolName`. */
  readonly name: string;
  /** A program will want to open them by their names. Files that no program wants have none once they are open. */
  readonly named: boolean;
}

export class SpoolFiles {
  readonly disk: Files;
  readonly named: boolean;
  readonly #options: SpoolOptions;
  readonly #paths: string[] = [];
  readonly #open: File[] = [];
  #mark: Promise<File | undefined> | undefined;

  constructor(disk: Files, options: SpoolOptions) {
    this.disk = disk;
    this.named = options.named;
    this.#options = options;
  }

  /** A new empty file. The first one that has a name has a mark made before it. */
  async create(ending: SpoolEnding): Promise<{ path: string; file: File }> {
    if (this.named) await (this.#mark ??= this.#makeMark());
    const path = spoolPath(this.#options, ending);
    const file = await this.disk.create(path);
    if (this.named) this.#paths.push(path);
    else await this.#forget(path, file);
    return { path, file };
  }

  /** Closes `file` when the message is removed. */
  closeLater(file: File): void {
    this.#open.push(file);
  }

  async remove(): Promise<void> {
    for (const file of this.#open.splice(0)) file.close();
    // One that fails keeps no other from being removed.
    const removals = await Promise.allSettled(this.#paths.splice(0).map((path) => this.disk.remove(path)));
    (await this.#mark)?.close();
    this.#mark = undefined;
    for (const removal of removals) if (removal.status === "rejected") throw removal.reason;
  }

  // Not even a SIGKILL leaves a file without a name behind.
  async #forget(path: string, file: File): Promise<void> {
    try {
      await this.disk.remove(path);
    } catch (error) {
      this.#paths.push(path);
      file.close();
      throw error;
    }
  }

  async #makeMark(): Promise<File | undefined> {
    const path = spoolPath(this.#options, "lock");
    const file = await mark(this.disk, this.#options.directory, path);
    if (file) this.#paths.push(path);
    return file;
  }
}
