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

// Most mail is smaller than this. It bounds the memory of a session, it is what is written to a file at a time, and up to
// it a filter's own damage to its copy of the message does no harm.
const MEMORY_LIMIT = 262_144;

// Room for less than this is not worth another round: what is in memory goes to the file.
const LEAST_SPACE = 49_152;

const READ_SIZE = 131_072;

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
  // The content that is in no file yet; all of it, as long as nothing had to leave for a file.
  #memory = new Uint8Array(4096);
  #inMemory = 0;
  #size = 0;
  #file: File | undefined;
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #writing: Promise<void> | undefined;
  #left: FileFacts | undefined;
  #forgotten = false;
  readonly #names: string[] = [];

  constructor(files: Files, options: SpoolOptions) {
    this.#files = files;
    this.#options = options;
  }

  /** Octets of content. */
  get size(): number {
    return this.#size;
  }

  /** All content that there is so far, as long as nothing had to leave for a file; else nothing. */
  get beginning(): Uint8Array {
    return this.#memory.subarray(0, this.#inMemory === this.#size ? this.#size : 0);
  }

  /**
   * Room for more content: for `wanted` octets, or for as many as there may be at a time. Say `filled` afterwards. Throws
   * what an earlier write has to say.
   */
  async space(wanted: number): Promise<Uint8Array> {
    const needed = this.#inMemory + Math.min(wanted, LEAST_SPACE);
    if (needed > MEMORY_LIMIT) await this.#writeBehind();
    else if (needed > this.#memory.length) this.#grow(this.#inMemory + wanted);
    return this.#memory.subarray(this.#inMemory);
  }

  /** That `count` octets have been put into `space`. */
  filled(count: number): void {
    if (this.#forgotten) return;
    this.#inMemory += count;
    this.#size += count;
  }

  /** Waits until the content is where it belongs: throws what a write has to say. */
  async settle(): Promise<void> {
    if (this.#inMemory < this.#size) await this.#writeAll();
  }

  /** Gives up the content. What comes after this is not kept: `space` is the same again and again. */
  forget(): void {
    this.#forgotten = true;
    this.#inMemory = 0;
  }

  /** The path of a file with the whole message, for filters to read; the same one each time. */
  async path(): Promise<string> {
    if (!this.#left) {
      if (this.#inMemory === this.#size) await (await this.#emailFile()).append(this.#memory.subarray(0, this.#size));
      else await this.#writeAll();
      this.#left = await this.#file!.stat();
    }
    return this.#emailPath();
  }

  /**
   * What a program has made of the file at `path`, in place or by a rename; undefined where that is the message as it
   * was. Throws `IoError` for a file that is gone, empty or no file. Known gap: a message too large for memory that was
   * replaced within a few milliseconds by another one of its size.
   */
  async changed(): Promise<MessageSource | undefined> {
    const path = await this.path();
    const now = await this.#files.stat(path);
    if (now.kind !== "file") throw new IoError("other", `${path} is no regular file any more`);
    if (now.size === 0 && this.#size > 0) throw new IoError("other", `${path} was left empty`);
    const replacement = new Replacement(this.#files, path, now.size);
    const isSame = now.size === this.#left!.size &&
      (this.#inMemory === this.#size ? await this.#isInMemory(replacement) : now.modified === this.#left!.modified);
    return isSame ? undefined : replacement;
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
    if (this.#inMemory === this.#size || !this.#left) return true;
    const now = await this.#file!.stat();
    return now.size === this.#left.size && now.modified === this.#left.modified;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#inMemory === this.#size) {
      for (let at = 0; at < this.#size; at += READ_SIZE) {
        yield this.#memory.subarray(at, Math.min(at + READ_SIZE, this.#size));
      }
      return;
    }
    await this.#writeAll();
    await this.#file!.rewind();
    yield* readChunks(this.#file!, this.#size);
  }

  /** Forgets the message and removes its files. */
  async remove(): Promise<void> {
    await this.#writing?.catch(() => {});
    this.#file?.close();
    this.#file = undefined;
    // One that fails keeps no other from being removed.
    const removals = await Promise.allSettled(this.#names.splice(0).map((name) => this.#files.remove(name)));
    for (const removal of removals) if (removal.status === "rejected") throw removal.reason;
  }

  async #isInMemory(other: MessageSource): Promise<boolean> {
    let at = 0;
    for await (const chunk of other.chunks()) {
      for (const octet of chunk) if (octet !== this.#memory[at++]) return false;
    }
    return at === this.#size;
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.min(MEMORY_LIMIT, Math.max(length, 2 * this.#memory.length)));
    larger.set(this.#memory.subarray(0, this.#inMemory));
    this.#memory = larger;
  }

  // Sends what is in memory to the file, and has the other half of the memory ready before that is done: content comes
  // from the network while the disk is busy. A failure shows at the next call.
  async #writeBehind(): Promise<void> {
    const file = await this.#emailFile();
    await this.#writing;
    const full = this.#memory;
    this.#writing = file.append(full.subarray(0, this.#inMemory));
    this.#writing.catch(() => {});
    this.#memory = this.#spare ?? new Uint8Array(MEMORY_LIMIT);
    this.#spare = full;
    this.#inMemory = 0;
  }

  async #writeAll(): Promise<void> {
    if (this.#inMemory > 0) await this.#writeBehind();
    await this.#writing;
  }

  async #emailFile(): Promise<File> {
    if (this.#file) return this.#file;
    const path = this.#emailPath();
    this.#file = await this.#create(path);
    if (!this.#options.named) {
      await this.#files.remove(path);
      this.#names.length = 0;
    }
    return this.#file;
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

/**
 * A filter's version of a message, read from where its name leads now: it may have been replaced by a rename. It has the
 * size that it was judged with: something may run still that changes the file.
 */
export class Replacement implements MessageSource {
  readonly lineEnds = "lf-or-crlf";
  readonly #files: Files;
  readonly #path: string;
  readonly #size: number;

  constructor(files: Files, path: string, size: number) {
    this.#files = files;
    this.#path = path;
    this.#size = size;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const file = await this.#files.open(this.#path);
    try {
      yield* readChunks(file, this.#size);
    } finally {
      file.close();
    }
  }
}

// Just `length` octets from where the file stands: a filter may have written more, or less, into it since.
async function* readChunks(file: File, length: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_SIZE);
  for (let left = length; left > 0;) {
    const count = await file.read(buffer.subarray(0, Math.min(left, READ_SIZE)));
    if (count === null) throw new IoError("other", "spool file is shorter than its message");
    yield buffer.subarray(0, count);
    left -= count;
  }
}

/** True when the disk, a quota or a limit has no room for the message. */
export function isFull(error: unknown): boolean {
  return error instanceof IoError && error.kind === "no-space";
}
