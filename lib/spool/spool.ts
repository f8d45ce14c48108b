// One message, from its first octet to its verdict.
//
// A small message stays in memory as long as nobody needs it as a file. A larger one is a file in the spool directory
// (files.ts). So memory does not grow with the message. When the message is complete, any number of readers may read
// it, each from any place. Programs can get it, too (given_file.ts), but they cannot change it unnoticed.
//
// Content is in the spool's form: lines end with LF, dots are not doubled. All I/O failures are thrown as `IoError`.

import type { Content, MessageFile } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import type { Checksum, File } from "../ports/runtime.ts";
import { READ_SIZE } from "./content.ts";
import type { SpoolFiles } from "./files.ts";
import { giveFile } from "./given_file.ts";

// Most mail is smaller than this. It bounds the memory of a session, and the size of one write to a file.
const MEMORY_LIMIT = 262_144;

// With less room than this another read is not worth it, so the content in memory goes to the file.
const LEAST_SPACE = 49_152;

const EMPTY = new Uint8Array(0);

export class Spool implements Content {
  readonly lineEnds = "lf";
  readonly #files: SpoolFiles;
  // The content that is not in a file yet. It is all content as long as no file was needed.
  #memory: Uint8Array<ArrayBuffer> = EMPTY;
  #inMemory = 0;
  #size = 0;
  #file: File | undefined;
  #path = "";
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #writing: Promise<void> | undefined;
  #given: Promise<MessageFile> | undefined;
  // The checksum of the part that only a file has, if a program will get that file.
  #checksum: Checksum | undefined;
  #crLines = 0;
  #forgotten = false;

  constructor(files: SpoolFiles) {
    this.#files = files;
  }

  /** Octets of content. */
  get size(): number {
    return this.#size;
  }

  get crLines(): number {
    return this.#crLines;
  }

  /** All content so far, as long as no file was needed; otherwise empty. */
  get beginning(): Uint8Array {
    return this.#memory.subarray(0, this.#isInMemory ? this.#size : 0);
  }

  /**
   * Room for more content: for `wanted` octets, or as many as fit at a time. Call `filled` afterwards. Throws the error
   * of an earlier write.
   */
  space(wanted: number): Uint8Array | Promise<Uint8Array> {
    const needed = this.#inMemory + Math.min(wanted, LEAST_SPACE);
    const rest = () => this.#memory.subarray(this.#inMemory);
    if (needed > MEMORY_LIMIT) return this.#writeBehind().then(rest);
    if (needed > this.#memory.length) this.#grow(this.#inMemory + wanted);
    return rest();
  }

  /** Says that `space` now holds `count` more octets. */
  filled(count: number): void {
    if (this.#forgotten) return;
    this.#inMemory += count;
    this.#size += count;
  }

  /**
   * Waits until all content is in its place. Undefined if it is there. Throws the error of a write. `crLines` of its lines
   * have a CR of their own before the line end.
   */
  settle(crLines: number): Promise<void> | undefined {
    this.#crLines = crLines;
    return this.#isInMemory ? undefined : this.#writeAll();
  }

  /** Gives up the content and keeps nothing that comes later: `space` gives the same room again and again. */
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
    yield* this.#files.read(this.#file!, this.#size);
  }

  file(): Promise<MessageFile> {
    return this.#given ??= this.#give();
  }

  /** Forgets the message and removes its files. */
  remove(): Promise<void> | undefined {
    const removeFiles = () => this.#files.remove();
    return this.#writing ? this.#writing.then(removeFiles, removeFiles) : removeFiles();
  }

  get #isInMemory(): boolean {
    return this.#inMemory === this.#size;
  }

  async #give(): Promise<MessageFile> {
    const isInMemory = this.#isInMemory;
    if (isInMemory) await (await this.#openFile()).append(this.beginning);
    else await this.#writeAll();
    const checksum = isInMemory ? undefined : this.#checksum?.value;
    return await giveFile(this.#files, { path: this.#path, file: this.#file!, content: this, checksum });
  }

  #grow(length: number): void {
    const larger = new Uint8Array(Math.min(MEMORY_LIMIT, Math.max(length, 2 * this.#memory.length)));
    larger.set(this.#memory.subarray(0, this.#inMemory));
    this.#memory = larger;
  }

  // Writes the content in memory to the file. It does not wait for that: the other half of the memory takes content
  // from the network while the disk is busy. The next call throws if this write fails.
  async #writeBehind(): Promise<void> {
    const file = await this.#openFile();
    await this.#writing;
    const full = this.#memory;
    const part = full.subarray(0, this.#inMemory);
    this.#writing = file.append(part);
    if (this.#files.named) (this.#checksum ??= this.#files.disk.newChecksum()).push(part);
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

/** Whether the disk, a quota or a limit has no room for the message. */
export function isFull(error: unknown): boolean {
  return error instanceof IoError && error.kind === "no-space";
}
