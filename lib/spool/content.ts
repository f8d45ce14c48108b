// Reads the content of a message from files, and compares two versions of it.
//
// All I/O failures are thrown as `IoError`. Memory does not grow with the message.

import { IoError } from "../ports/io_error.ts";
import type { Checksum, File, FileFacts, Turn } from "../ports/runtime.ts";
import { CR, LF } from "../text/octets.ts";
import type { LineEnds } from "../smtp/dot_codec.ts";

/** Anything that can be read from its beginning again and again. */
export interface Readable {
  chunks(): AsyncIterable<Uint8Array>;
}

/** One read takes at most this many octets of a message. */
export const READ_SIZE = 131_072;

/**
 * Exactly the first `length` octets of a file. A program may have added to it since. To read a file, and to pass its octets
 * on, may take no turn of the event loop at all. So with `turn` it is shared after each piece.
 */
export async function* readChunks(file: File, length: number, turn?: Turn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(length, READ_SIZE));
  for (let at = 0; at < length;) {
    if (at > 0) await turn?.share();
    const count = await file.read(buffer.subarray(0, Math.min(length - at, READ_SIZE)), at);
    if (count === null) throw new IoError("other", "spool file is shorter than its message");
    yield buffer.subarray(0, count);
    at += count;
  }
}

/**
 * How lines end in a program's version of a message. The file that the program read had `crLines` lines that end with
 * CR LF. A copy of it has as many, and their CR belongs to the line. If the version has more, the program ends its
 * lines with CR LF.
 */
export async function lineEndsOf(version: Readable, crLines: number): Promise<LineEnds> {
  return crLines > 0 && await countCrLines(version, crLines + 1) <= crLines ? "lf" : "lf-or-crlf";
}

// Stops at `limit`.
async function countCrLines(content: Readable, limit: number): Promise<number> {
  let count = 0;
  let last: number | undefined;
  for await (const chunk of content.chunks()) {
    // A search for the next LF would take much longer where there are many.
    for (let at = 0; at < chunk.length; at++) {
      if (chunk[at] === LF && (at === 0 ? last : chunk[at - 1]) === CR && ++count === limit) return count;
    }
    last = chunk.at(-1);
  }
  return count;
}

/**
 * Whether it is certain that the file is the same as `before`, unchanged and not replaced. It does not look at the
 * content. A program can set back the time of a change (`modified`), but not the time of that act (`changed`).
 */
export function isUntouched(now: FileFacts, before: FileFacts): boolean {
  return isSameFile(now, before) && now.size === before.size &&
    now.modified === before.modified && now.changed === before.changed && isFine(now.changed);
}

export function isSameFile(one: FileFacts, other: FileFacts): boolean {
  return one.inode === other.inode && one.device === other.device;
}

// Deno gives this time in whole seconds. A change may follow in the same second.
function isFine(milliseconds: number | undefined): boolean {
  return milliseconds !== undefined && milliseconds % 1000 !== 0;
}

/** Whether two contents of the same size are equal. */
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

/** Pushes all of `content` into `checksum`, and returns it. */
export async function checksumOf(content: Readable, checksum: Checksum): Promise<Checksum> {
  for await (const chunk of content.chunks()) checksum.push(chunk);
  return checksum;
}
