// A program's own version of a message, in a file; and how two versions are told apart.
//
// All I/O failures are thrown as `IoError`. Memory does not grow with the message.

import { IoError } from "../ports/io_error.ts";
import type { Checksum, File, FileFacts, Files } from "../ports/runtime.ts";
import { CR, LF } from "../text/octets.ts";
import type { LineEnds } from "../smtp/dot_codec.ts";
import type { MessageSource } from "../mail/verdict.ts";

type Content = Pick<MessageSource, "chunks">;

/** How much of a message is read at a time. */
export const READ_SIZE = 131_072;

/**
 * A version that is read from where its name leads now: the program may have replaced it by a rename. It has the size that
 * it was judged with: something may still run that changes the file.
 */
export class Replacement implements MessageSource {
  readonly lineEnds: LineEnds;
  /** In octets. */
  readonly size: number;
  readonly #files: Files;
  readonly #path: string;

  constructor(files: Files, path: string, { size, lineEnds }: { size: number; lineEnds: LineEnds }) {
    this.#files = files;
    this.#path = path;
    this.size = size;
    this.lineEnds = lineEnds;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const file = await this.#files.open(this.#path);
    try {
      yield* readChunks(file, this.size);
    } finally {
      file.close();
    }
  }
}

/** The first `length` octets of a file, no more and no less: a program may have written into it since. */
export async function* readChunks(file: File, length: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_SIZE);
  for (let at = 0; at < length;) {
    const count = await file.read(buffer.subarray(0, Math.min(length - at, READ_SIZE)), at);
    if (count === null) throw new IoError("other", "spool file is shorter than its message");
    yield buffer.subarray(0, count);
    at += count;
  }
}

/**
 * How lines end in a program's version of a message that had `crLines` lines with CR LF at their end in the program's file.
 * A copy has as many of them, and their CR belongs to the line. A program that ends its lines with CR LF has made more.
 */
export async function lineEndsOf(version: Content, crLines: number): Promise<LineEnds> {
  return crLines > 0 && await countCrLines(version, crLines + 1) <= crLines ? "lf" : "lf-or-crlf";
}

// Stops at `limit`.
async function countCrLines(content: Content, limit: number): Promise<number> {
  let count = 0;
  let last: number | undefined;
  for await (const chunk of content.chunks()) {
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
      if ((at === 0 ? last : chunk[at - 1]) === CR && ++count === limit) return count;
    }
    last = chunk.at(-1);
  }
  return count;
}

/**
 * Whether it is certain, without a look at the content, that nobody has written into a file, nor put another one in its
 * place, since it was as in `before`. A program may set the time of its change back, but not the time of that.
 */
export function isUntouched(now: FileFacts, before: FileFacts): boolean {
  return now.inode === before.inode && now.device === before.device && now.size === before.size &&
    now.modified === before.modified && now.changed === before.changed && isFine(now.changed);
}

// Deno tells this time in whole seconds, in which much can happen.
function isFine(milliseconds: number | undefined): boolean {
  return milliseconds !== undefined && milliseconds % 1000 !== 0;
}

/** Whether `content` is these `octets`. */
export async function holds(content: Content, octets: Uint8Array): Promise<boolean> {
  let at = 0;
  for await (const chunk of content.chunks()) {
    for (const octet of chunk) if (octet !== octets[at++]) return false;
  }
  return at === octets.length;
}

/** `checksum`, when it has taken in `content`. */
export async function checksumOf(content: Content, checksum: Checksum): Promise<Checksum> {
  for await (const chunk of content.chunks()) checksum.push(chunk);
  return checksum;
}
