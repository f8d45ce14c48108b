// One message between its last octet and its verdict.
//
// A message is kept in memory while it is small and nobody needs it as a file; beyond that it is a file in the spool
// directory, made with O_EXCL and mode 0600 under a name that nobody can guess. A file that no filter will look at
// loses its name at once, so that not even a SIGKILL leaves it behind. One that has a name is marked as in use (mark.ts).
// Memory does not grow with the message.
//
// A program gets the path of a file, and afterwards the spool can tell whether it has other content. What the program may
// change is either taken over as the message (`takeChange`), or is a copy of its own (`copy`).
//
// Content is in the spool's form: lines end with LF, dots are not doubled. All I/O failures are thrown as `IoError`.
// `remove` leaves nothing behind, whatever happened before.

import { IoError } from "../ports/io_error.ts";
import type { Checksum, File, FileFacts, Files } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import type { LineEnds } from "../smtp/dot_codec.ts";
import type { MessageSource } from "../mail/verdict.ts";
import { type SpoolEnding, spoolPath } from "./directory.ts";
import { mark } from "./mark.ts";
import { checksumOf, holds, isUntouched, lineEndsOf, READ_SIZE, readChunks, Replacement } from "./replacement.ts";

// Most mail is smaller than this. It bounds the memory of a session, and it is what is written to a file at a time.
const MEMORY_LIMIT = 262_144;

// Room for less than this is not worth another round: what is in memory goes to the file.
const LEAST_SPACE = 49_152;

// A recipient is at most as long as a command line, of 2048 octets.
const RECIPIENTS_AT_A_TIME = 100;

export interface SpoolOptions {
  readonly directory: string;
  /** `newSpoolName`. */
  readonly name: string;
  /** A filter will want to open the message by its name. */
  readonly named: boolean;
}

/** A file that a program was given. */
interface GivenFile {
  readonly path: string;
  /** What it was before. */
  readonly facts: FileFacts;
}

export class Spool implements MessageSource {
  #lineEnds: LineEnds = "lf";
  readonly #files: Files;
  readonly #options: SpoolOptions;
  // The content that is in no file yet; all of it, as long as nothing had to leave for a file.
  #memory = new Uint8Array(4096);
  #inMemory = 0;
  #size = 0;
  #file: File | undefined;
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #writing: Promise<void> | undefined;
  #email: GivenFile | undefined;
  #copy: GivenFile | undefined;
  #outfile: string | undefined;
  // Of the part that is in a file, where a program will get that.
  #checksum: Checksum;
  #crLines = 0;
  #forgotten = false;
  readonly #names: string[] = [];
  #mark: Promise<File | undefined> | undefined;

  constructor(files: Files, options: SpoolOptions) {
    this.#files = files;
    this.#options = options;
    this.#checksum = files.newChecksum();
  }

  get lineEnds(): LineEnds {
    return this.#lineEnds;
  }

  /** Octets of content. */
  get size(): number {
    return this.#size;
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

  /** The path of a file with the whole message, for programs to read; the same one each time. */
  async path(): Promise<string> {
    if (!this.#email) {
      if (this.#isInMemory) await (await this.#emailFile()).append(this.#memory.subarray(0, this.#size));
      else await this.#writeAll();
      this.#email = await this.#given(this.#emailPath(), this.#file!);
    }
    return this.#email.path;
  }

  /**
   * Whether the file at `path` still has the content of the message, and whether that can still be delivered. A program
   * may have removed the file, or moved it elsewhere; it may not have written into it, nor put another one in its place.
   */
  async isIntact(): Promise<boolean> {
    const given = this.#email;
    if (!given) return true;
    const now = await orMissing(this.#files.stat(given.path));
    if (now && !await this.#isMessage(given, now, this.#version(given.path, now))) return false;
    return this.#isInMemory || await this.#isMessage(given, await this.#file!.stat(), this);
  }

  /**
   * Makes what a program has made of the file at `path` the message, in place or by a rename; false where that is the
   * message as it was. Throws `IoError` for a file that is gone, empty or no file.
   */
  async takeChange(): Promise<boolean> {
    const path = await this.path();
    const change = await this.#changeOf(this.#email!);
    if (!change) return false;
    const file = await this.#files.open(path);
    this.#file?.close();
    this.#file = file;
    this.#memory = new Uint8Array(0);
    this.#inMemory = 0;
    this.#size = change.size;
    this.#checksum = await this.#checksumOf(change);
    this.#lineEnds = change.lineEnds;
    this.#email = await this.#given(path, file);
    return true;
  }

  /** The path of a copy of the message that a program may change; the message stays what it is. */
  async copy(): Promise<string> {
    const path = this.#pathOf("edit");
    const file = await this.#create(path);
    try {
      for await (const chunk of this.chunks()) await file.append(chunk);
      this.#copy = await this.#given(path, file);
    } finally {
      file.close();
    }
    return path;
  }

  /** What a program has made of the copy; undefined where that is the message. Throws like `takeChange`. */
  async changedCopy(): Promise<MessageSource | undefined> {
    return this.#copy && await this.#changeOf(this.#copy);
  }

  /** The path of an empty file for a program's own version of the message. */
  async outfile(): Promise<string> {
    this.#outfile = this.#pathOf("out");
    (await this.#create(this.#outfile)).close();
    return this.#outfile;
  }

  /** What a program has written there; undefined for nothing. Throws `IoError` for what is no file. */
  async written(): Promise<MessageSource | undefined> {
    const path = this.#outfile;
    if (path === undefined) return undefined;
    const now = await orMissing(this.#files.stat(path));
    // The program may remove the file that it does not need.
    if (!now) return undefined;
    if (now.kind !== "file") throw new IoError("other", `${path} is no regular file`);
    return now.size === 0 ? undefined : await this.#withLineEnds(path, now);
  }

  /** The path of a file with the `recipients`, each on a line that ends with LF. None of them has a LF in it. */
  async recipientsFile(recipients: readonly string[]): Promise<string> {
    const path = this.#pathOf("rcpt");
    const file = await this.#create(path);
    try {
      for (let at = 0; at < recipients.length; at += RECIPIENTS_AT_A_TIME) {
        const some = recipients.slice(at, at + RECIPIENTS_AT_A_TIME);
        await file.append(bytesOf(some.map((recipient) => `${recipient}\n`).join("")));
      }
    } finally {
      file.close();
    }
    return path;
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

  /** Forgets the message and removes its files. */
  async remove(): Promise<void> {
    await this.#writing?.catch(() => {});
    this.#file?.close();
    this.#file = undefined;
    // One that fails keeps no other from being removed.
    const removals = await Promise.allSettled(this.#names.splice(0).map((name) => this.#files.remove(name)));
    (await this.#mark)?.close();
    this.#mark = undefined;
    for (const removal of removals) if (removal.status === "rejected") throw removal.reason;
  }

  get #isInMemory(): boolean {
    return this.#inMemory === this.#size;
  }

  // Remembers what `file` at `path` is like. A change sets its time, and is told by that, however soon it comes.
  async #given(path: string, file: File): Promise<GivenFile> {
    try {
      await file.backdate();
    } catch (error) {
      // It is another user's, whom an external checker has become: then a change has a few milliseconds to hide in.
      if (!(error instanceof IoError)) throw error;
    }
    return { path, facts: await file.stat() };
  }

  async #changeOf(given: GivenFile): Promise<Replacement | undefined> {
    const { path } = given;
    const now = await this.#files.stat(path);
    if (now.kind !== "file") throw new IoError("other", `${path} is no regular file any more`);
    if (now.size === 0 && this.#size > 0) throw new IoError("other", `${path} was left empty`);
    if (await this.#isMessage(given, now, this.#version(path, now))) return undefined;
    return await this.#withLineEnds(path, now);
  }

  // Whether a file that a program was given, and that is `now` so, with this `content`, is the message.
  async #isMessage({ facts }: GivenFile, now: FileFacts, content: MessageSource): Promise<boolean> {
    if (isUntouched(now, facts)) return true;
    if (now.kind !== "file" || now.size !== this.#size) return false;
    if (this.#isInMemory) return await holds(content, this.#memory.subarray(0, this.#size));
    return (await this.#checksumOf(content)).value === this.#checksum.value;
  }

  #checksumOf(content: MessageSource): Promise<Checksum> {
    return checksumOf(content, this.#files.newChecksum());
  }

  async #withLineEnds(path: string, facts: FileFacts): Promise<Replacement> {
    return this.#version(path, facts, await lineEndsOf(this.#version(path, facts), this.#crLines));
  }

  #version(path: string, { size }: FileFacts, lineEnds: LineEnds = "lf"): Replacement {
    return new Replacement(this.#files, path, { size, lineEnds });
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
    const part = full.subarray(0, this.#inMemory);
    this.#writing = file.append(part);
    if (this.#options.named) this.#checksum.push(part);
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
    if (this.#options.named) await (this.#mark ??= this.#makeMark());
    const file = await this.#files.create(path);
    this.#names.push(path);
    return file;
  }

  async #makeMark(): Promise<File | undefined> {
    const path = this.#pathOf("lock");
    const file = await mark(this.#files, this.#options.directory, path);
    if (file) this.#names.push(path);
    return file;
  }

  #emailPath(): string {
    return this.#pathOf("eml");
  }

  #pathOf(ending: SpoolEnding): string {
    return spoolPath(this.#options, ending);
  }
}

async function orMissing(facts: Promise<FileFacts>): Promise<FileFacts | undefined> {
  try {
    return await facts;
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return undefined;
    throw error;
  }
}

/** True when the disk, a quota or a limit has no room for the message. */
export function isFull(error: unknown): boolean {
  return error instanceof IoError && error.kind === "no-space";
}
