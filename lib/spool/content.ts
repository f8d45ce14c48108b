// What is read from files: the content of a message, and how two versions of it are told apart.
//
// All I/O failures are thrown as `IoError`. Memory does not grow with the message.

import { IoError } from "../ports/io_error.ts";
import type { Checksum, File, FileFacts } from "../ports/runtime.ts";
import { CR, LF } from "../text/octets.ts";
import type { LineEnds } from "../smtp/dot_codec.ts";

/** What can be read again and again, from its beginning. */
export interface Readable {
  chunks(): AsyncIterable<Uint8Array>;
}

/** How much of a message is read at a time. */
export const READ_SIZE = 131_072;

/** The first `length` octets of a file, no more and no less: a program may have written into it since. */
export async function* readChunks(file: File, length: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(length, READ_SIZE));
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
export async function lineEndsOf(version: Readable, crLines: number): Promise<LineEnds> {
  return crLines > 0 && await countCrLines(version, crLines + 1) <= crLines ? "lf" : "lf-or-crlf";
}

// Stops at `limit`.
async function countCrLines(content: Readable, limit: number): Promise<number> {
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
  return isSameFile(now, before) && now.size === before.size &&
    now.modified === before.modified && now.changed === before.changed && isFine(now.changed);
}

export function isSameFile(one: FileFacts, other: FileFacts): boolean {
  return one.inode === other.inode && one.device === other.device;
}

// Deno tells this time in whole seconds, in which much can happen.
function isFine(milliseconds: number | undefined): boolean {
  return milliseconds !== undefined && milliseconds % 1000 !== 0;
}

/** Whether two contents of one size are the same. */
export async function isSame(one: Readable, other: Readable): Promise<boolean> {
  const others = other.chunks()[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  try {
    for await (const chunk of one.chunks()) {
      for (let at = 0; at < chunk.length;) {
        if (piece.length === 0) piece = (await others.next()).value ?? piece;
        const length = Math.min(piece.length, chunk.length - at);
        if (length === 0) return false;
        for (let next = 0; next < length; next++) if (chunk[at + next] !== piece[next]) return false;
        piece = piece.subarray(length);
        at += length;
      }
    }
    return true;
  } finally {
    await others.return?.();
  }
}

/** `checksum`, when it has taken in `content`. */
export async function checksumOf(content: Readable, checksum: Checksum): Promise<Checksum> {
  for await (const chunk of content.chunks()) checksum.push(chunk);
  return checksum;
}
