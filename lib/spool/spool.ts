// One message between its last octet and its verdict.
//
// A message is kept in memory while it is small and nobody needs it as a file; beyond that it is a file in the spool
// directory (files.ts). Memory does not grow with the message. Once it is all there it is read from any place by any number
// of readers, and given to programs (given_file.ts), which cannot change what the readers see unnoticed.
//
// Content is in the spool's form: lines end with LF, dots are not doubled. All I/O failures are thrown as `IoError`.

import type { Content, MessageFile } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import type { Checksum, File } from "../ports/runtime.ts";
import { READ_SIZE, readChunks } from "./content.ts";
import type { SpoolFiles } from "./files.ts";
import { giveFile } from "./given_file.ts";

// Most mail is smaller than this. It bounds the memory of a session, and it is what is written to a file at a time.
const MEMORY_LIMIT = 262_144;

// Room for less than this is not worth another round: what is in memory goes to the file.
const LEAST_SPACE = 49_152;

export class Spool implements Content {
  readonly lineEnds = "lf";
  readonly #files: SpoolFiles;
  // The content that is in no file yet; all of it, as long as nothing had to leave for a file.
  #memory = new Uint8Array(4096);
  #inMemory = 0;
  #size = 0;
  #file: File | undefined;
  #path = "";
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #writing: Promise<void> | undefined;
  #given: Promise<MessageFile> | undefined;
  // Of the part that is in a file, where a program will get that.
  readonly #checksum: Checksum;
  #crLines = 0;
  #forgotten = false;

  constructor(files: SpoolFiles) {
    this.#files = files;
    this.#checksum = files.disk.newChecksum();
  }

  /** Octets of content. */
  get size(): number {
    return this.#size;
  }

  get crLines(): number {
    return this.#crLines;
  }

  /** All content that there is so far, as long as nothing had to leave for a file; else nothing. */
  get beginning(): Uint8Array {
    return this.#memory.subarray(0, this.#isInMemory ? this.#size : 0);
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

  /**
   * Waits until the content is where it belongs: throws what a write has to say. `crLines` of its lines have a CR of their
   * own at their end.
   */
  async settle(crLines: number): Promise<void> {
    this.#crLines = crLines;
    if (this.#inMemory < this.#size) await this.#writeAll();
  }

  /** Gives up the content. What comes after this is not kept: `space` is the same again and again. */
  forget(): void {
    this.#forgotten = true;
    this.#inMemory = 0;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#isInMemory) {
      for (let at = 0; at < this.#size; at += READ_SIZE) {
        yield this.#memory.subarray(at, Math.min(at + READ_SIZE, this.#size));
      }
      return;
    }
    await this.#writeAll();
    yield* readChunks(this.#file!, this.#size);
  }

  file(): Promise<MessageFile> {
    return this.#given ??= this.#give();
  }

  /** Forgets the message and removes its files. */
  async remove(): Promise<void> {
    await this.#writing?.catch(() => {});
    await this.#files.remove();
  }

  get #isInMemory(): boolean {
    return this.#inMemory === this.#size;
  }

  async #give(): Promise<MessageFile> {
    const isInMemory = this.#isInMemory;
    if (isInMemory) await (await this.#openFile()).append(this.beginning);
    else await this.#writeAll();
    const checksum = isInMemory ? undefined : this.#checksum.value;
    return await giveFile(this.#files, { path: this.#path, file: this.#file!, content: this, checksum });
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.min(MEMORY_LIMIT, Math.max(length, 2 * this.#memory.length)));
    larger.set(this.#memory.subarray(0, this.#inMemory));
    this.#memory = larger;
  }

  // Sends what is in memory to the file, and has the other half of the memory ready before that is done: content comes
  // from the network while the disk is busy. A failure shows at the next call.
  async #writeBehind(): Promise<void> {
    const file = await this.#openFile();
    await this.#writing;
    const full = this.#memory;
    const part = full.subarray(0, this.#inMemory);
    this.#writing = file.append(part);
    if (this.#files.named) this.#checksum.push(part);
    this.#writing.catch(() => {});
    this.#memory = this.#spare ?? new Uint8Array(MEMORY_LIMIT);
    this.#spare = full;
    this.#inMemory = 0;
  }

  async #writeAll(): Promise<void> {
    if (this.#inMemory > 0) await this.#writeBehind();
    await this.#writing;
  }

  async #openFile(): Promise<File> {
    if (this.#file) return this.#file;
    const { path, file } = await this.#files.create("eml");
    this.#files.closeLater(file);
    this.#path = path;
    return this.#file = file;
  }
}

/** True when the disk, a quota or a limit has no room for the message. */
export function isFull(error: unknown): boolean {
  return error instanceof IoError && error.kind === "no-space";
}
