// A postprox that writes no message to the disk, to measure what the writing costs: the same source with another `Files`.
//
// A spool file remembers the first octets that it got, and gives them again and again when it is read. That is the same
// content as long as the messages repeat a piece of that length, as those of smtp-source nearly do. It is not for mail.

import type { File, Files, Runtime } from "../../lib/ports/runtime.ts";

/** More than the program reads or writes at a time. */
const REMEMBERED = 1_048_576;

export function withoutWriting(runtime: Runtime): Runtime {
  const files: Files = {
    ...runtime.files,
    create: async (path) => new UnwrittenFile(await runtime.files.create(path)),
  };
  return { ...runtime, files };
}

class UnwrittenFile implements File {
  readonly #file: File;
  #piece = new Uint8Array(0);
  #size = 0;

  constructor(file: File) {
    this.#file = file;
  }

  append(octets: Uint8Array): Promise<void> {
    if (this.#piece.length < octets.length && octets.length <= REMEMBERED) this.#piece = octets.slice();
    this.#size += octets.length;
    return Promise.resolve();
  }

  read(into: Uint8Array, at: number): Promise<number | null> {
    if (at >= this.#size) return Promise.resolve(null);
    const from = at % this.#piece.length;
    const part = this.#piece.subarray(from, Math.min(from + into.length, this.#piece.length, from + this.#size - at));
    into.set(part);
    return Promise.resolve(part.length);
  }

  async stat(): ReturnType<File["stat"]> {
    return { ...await this.#file.stat(), size: this.#size };
  }

  async backdate(): Promise<void> {}
  async sync(): Promise<void> {}
  isUnlocked = () => this.#file.isUnlocked();
  lock = () => this.#file.lock();
  close = () => this.#file.close();
}
