// One message between its last octet and its verdict.
//
// A message is kept in memory while it is small and nobody needs it as a file; beyond that it is a file in the spool
// directory, made with O_EXCL and mode 0600 under a name that nobody can guess. A file that no filter will look at
// loses its name at once, so that not even a SIGKILL leaves it behind. Memory does not grow with the message.
//
// Content is in the spool's form: lines end with LF, dots are not doubled. All I/O failures are thrown as `IoError`.
// `remove` leaves nothing behind, whatever happened before.

import { IoError } from "../runtime/io_error.ts";
import type { File, FileFacts, Files } from "../runtime/ports.ts";
import type { MessageSource } from "../verdict.ts";

// Most mail is smaller than this. It bounds the memory of a session, and how much a filter's own damage to its copy
// of the message can be undone without a second file.
const MEMORY_LIMIT = 65536;

const READ_SIZE = 65536;

export interface SpoolOptions {
  readonly directory: string;
  /** A name without directory and ending, `postprox-PID-RANDOM`. */
  readonly name: string;
  /** A filter will want to open the message by its name. */
  readonly named: boolean;
}

export class Spool implements MessageSource {
  readonly lineEnds = "lf";
  readonly #files: Files;
  readonly #options: SpoolOptions;
  #memory = new Uint8Array(4096);
  #inMemory = 0;
  #size = 0;
  #file: File | undefined;
  #written: FileFacts | undefined;
  readonly #names: string[] = [];

  constructor(files: Files, options: SpoolOptions) {
    this.#files = files;
    this.#options = options;
  }

  /** Octets of content. */
  get size(): number {
    return this.#size;
  }

  /** Adds `content`, of which nothing is kept by reference. */
  async append(content: Uint8Array): Promise<void> {
    if (!this.#file && this.#size + content.length > MEMORY_LIMIT) await this.#toFile();
    if (this.#file) await this.#file.append(content);
    if (this.#size + content.length <= MEMORY_LIMIT) this.#keep(content);
    this.#size += content.length;
  }

  /** The path of a file with the whole message, for a filter to read. */
  async path(): Promise<string> {
    if (!this.#file) await this.#toFile();
    this.#written = await this.#file!.stat();
    return this.#emailPath();
  }

  /** The path of an empty file for a filter's own version of the message. */
  async outfile(): Promise<string> {
    const path = `${this.#options.directory}/${this.#options.name}.out`;
    (await this.#create(path)).close();
    return path;
  }

  /**
   * Whether the message can still be read as it came. A filter that writes into its copy of the message, against its
   * contract, spoils the only one there is when that is too large for memory.
   */
  async isIntact(): Promise<boolean> {
    if (this.#inMemory === this.#size || !this.#written) return true;
    const now = await this.#file!.stat();
    return now.size === this.#written.size && now.modified === this.#written.modified;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#inMemory === this.#size) {
      yield this.#memory.subarray(0, this.#inMemory);
      return;
    }
    await this.#file!.rewind();
    yield* readChunks(this.#file!);
  }

  /** Forgets the message and removes its files. */
  async remove(): Promise<void> {
    this.#file?.close();
    this.#file = undefined;
    for (const name of this.#names.splice(0)) await this.#files.remove(name);
  }

  #keep(content: Uint8Array): void {
    const length = this.#inMemory + content.length;
    if (length > this.#memory.length) {
      const larger = new Uint8Array(Math.min(MEMORY_LIMIT, Math.max(length, 2 * this.#memory.length)));
      larger.set(this.#memory.subarray(0, this.#inMemory));
      this.#memory = larger;
    }
    this.#memory.set(content, this.#inMemory);
    this.#inMemory = length;
  }

  async #toFile(): Promise<void> {
    const path = this.#emailPath();
    this.#file = await this.#create(path);
    if (!this.#options.named) {
      await this.#files.remove(path);
      this.#names.length = 0;
    }
    await this.#file.append(this.#memory.subarray(0, this.#inMemory));
  }

  async #create(path: string): Promise<File> {
    const file = await this.#files.create(path);
    this.#names.push(path);
    return file;
  }

  #emailPath(): string {
    return `${this.#options.directory}/${this.#options.name}.eml`;
  }
}

/** A filter's version of a message, read from where its name leads now: it may have been replaced by a rename. */
export class Replacement implements MessageSource {
  readonly lineEnds = "lf-or-crlf";
  readonly #files: Files;
  readonly #path: string;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const file = await this.#files.open(this.#path);
    try {
      yield* readChunks(file);
    } finally {
      file.close();
    }
  }
}

async function* readChunks(file: File): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_SIZE);
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

/** True when the disk, a quota or a limit has no room for the message. */
export function isFull(error: unknown): boolean {
  return error instanceof IoError && error.kind === "no-space";
}
