// A file that a program gets, and the changes that the program makes to it.
//
// Before the program starts, this notes the facts of the file. Afterwards they tell whether the file still holds the
// message. If it holds other content, that is content like any other: the next program can get it.

import type { Content, MessageFile } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import type { Checksum, File, FileFacts } from "../ports/runtime.ts";
import type { LineEnds } from "../smtp/dot_codec.ts";
import { checksumOf, isSame, isSameFile, isUntouched, lineEndsOf, type Readable } from "./content.ts";
import type { SpoolFiles } from "./files.ts";

export interface GivenFileParts {
  readonly path: string;
  /** The open file at `path`. */
  readonly file: File;
  /** The content of the file. */
  readonly content: Content;
  /** The checksum of the content, if only this file has the content: the program may change it there. */
  readonly checksum?: Checksum["value"] | undefined;
}

/** Gives a program a file of a message. */
export async function giveFile(files: SpoolFiles, parts: GivenFileParts): Promise<MessageFile> {
  try {
    // A change then sets another time. So even an immediate change can be told from it.
    await parts.file.backdate();
  } catch (error) {
    // An external checker may run as another user. Then a change within a few milliseconds may go unseen.
    if (!(error instanceof IoError)) throw error;
  }
  return new GivenFile(files, parts, await parts.file.stat());
}

class GivenFile implements MessageFile {
  readonly path: string;
  readonly #files: SpoolFiles;
  readonly #parts: GivenFileParts;
  // The facts when the program got it.
  readonly #facts: FileFacts;

  constructor(files: SpoolFiles, parts: GivenFileParts, facts: FileFacts) {
    this.path = parts.path;
    this.#files = files;
    this.#parts = parts;
    this.#facts = facts;
  }

  async changed(): Promise<Content | undefined> {
    const { path, content: { size, crLines } } = this.#parts;
    const now = await this.#files.disk.stat(path);
    if (now.kind !== "file") throw new IoError("other", `${path} is no regular file any more`);
    if (now.size === 0 && size > 0) throw new IoError("other", `${path} was left empty`);
    if (await this.#isMessage(now, this.#now(now))) return undefined;
    return await versionIn(this.#files, path, { size: now.size, crLines });
  }

  async isIntact(): Promise<boolean> {
    const { path, file, content, checksum } = this.#parts;
    const now = await orMissing(this.#files.disk.stat(path));
    if (now && !await this.#isMessage(now, this.#now(now))) return false;
    // The delivery reads from memory or from the file that was just checked.
    if (checksum === undefined || (now && isSameFile(now, this.#facts))) return true;
    return await this.#isMessage(await file.stat(), content);
  }

  // Whether a file with the facts `now` is the message. `read` reads it.
  async #isMessage(now: FileFacts, read: Readable): Promise<boolean> {
    const { content, checksum } = this.#parts;
    if (isUntouched(now, this.#facts)) return true;
    if (now.kind !== "file" || now.size !== content.size) return false;
    if (checksum === undefined) return await isSame(read, content);
    return (await checksumOf(read, this.#files.disk.newChecksum())).value === checksum;
  }

  #now({ size }: FileFacts): Readable {
    return new Version(this.#files, this.path, { size, lineEnds: "lf", crLines: 0 });
  }
}

/** A program's own version of a message, in the file at `path`. `crLines` is that of the message. */
export async function versionIn(
  files: SpoolFiles,
  path: string,
  { size, crLines }: { size: number; crLines: number },
): Promise<Content> {
  const read = new Version(files, path, { size, lineEnds: "lf", crLines });
  return new Version(files, path, { size, lineEnds: await lineEndsOf(read, crLines), crLines });
}

/**
 * Each read opens the name again, because the program may have replaced the file by a rename. The size stays the one
 * that was judged, because some process may still write to the file. Once another program gets the file, it stays open,
 * because that program may remove it.
 */
class Version implements Content {
  readonly size: number;
  readonly lineEnds: LineEnds;
  readonly crLines: number;
  readonly #files: SpoolFiles;
  readonly #path: string;
  #held: File | undefined;
  #given: Promise<MessageFile> | undefined;

  constructor(files: SpoolFiles, path: string, { size, lineEnds, crLines }: Omit<Content, "chunks" | "file">) {
    this.#files = files;
    this.#path = path;
    this.size = size;
    this.lineEnds = lineEnds;
    this.crLines = crLines;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#held) return yield* this.#files.read(this.#held, this.size);
    const file = await this.#files.disk.open(this.#path);
    try {
      yield* this.#files.read(file, this.size);
    } finally {
      file.close();
    }
  }

  file(): Promise<MessageFile> {
    return this.#given ??= this.#give();
  }

  async #give(): Promise<MessageFile> {
    const path = this.#path;
    const file = this.#held = await this.#files.disk.open(path);
    this.#files.closeLater(file);
    const { value: checksum } = await checksumOf(this, this.#files.disk.newChecksum());
    return await giveFile(this.#files, { path, file, content: this, checksum });
  }
}

export async function orMissing(facts: Promise<FileFacts>): Promise<FileFacts | undefined> {
  try {
    return await facts;
  } catch (error) {
    if (error instanceof IoError && error.kind === "missing") return undefined;
    throw error;
  }
}
