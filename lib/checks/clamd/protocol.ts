// What clamd is asked, and what it answers: the INSTREAM command in its `z` form (clamd(8)). Pure.
//
// The question is `zINSTREAM` and a NUL, then the message in chunks, each after its length in four octets with the highest
// first. A chunk without octets ends it. The answer ends with a NUL:
//
//   stream: OK
//   stream: NAME FOUND
//   INSTREAM size limit exceeded. ERROR
//   ... ERROR
//
// clamd may give its answer before all of the message has come. It then closes the connection.

import { bytesOf } from "../../text/octets.ts";

const COMMAND = bytesOf("zINSTREAM\0");

/** The octets of a chunk's length. The end has the same form. */
const LENGTH = 4;

/** The most that stands around a chunk. */
export const FRAME = COMMAND.length + 2 * LENGTH;

export interface ChunkPlace {
  /** The command stands before it. */
  readonly isFirst: boolean;
  /** The end stands behind it. */
  readonly isLast: boolean;
}

/**
 * Writes a chunk as it is sent into `room`, which has as many octets as the chunk and `FRAME`; the result is a part of that.
 * A chunk without octets is nothing but the command, the end, or both.
 */
export function frameChunk(chunk: Uint8Array, room: Uint8Array, { isFirst, isLast }: ChunkPlace): Uint8Array {
  let at = 0;
  const put = (octets: Uint8Array) => {
    room.set(octets, at);
    at += octets.length;
  };
  if (isFirst) put(COMMAND);
  if (chunk.length > 0) {
    put(lengthOf(chunk.length));
    put(chunk);
  }
  if (isLast) put(lengthOf(0));
  return room.subarray(0, at);
}

function lengthOf(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
}

export type ClamdAnswer =
  | { readonly kind: "clean" }
  /** `name` is the virus's, as clamd has it. */
  | { readonly kind: "found"; readonly name: string }
  | { readonly kind: "too large" }
  | { readonly kind: "error"; readonly text: string };

/** An answer, without its NUL; undefined for what is none. */
export function parseClamdAnswer(text: string): ClamdAnswer | undefined {
  if (text === "stream: OK") return { kind: "clean" };
  const name = /^stream: (.*\S.*) FOUND$/s.exec(text)?.[1];
  if (name !== undefined) return { kind: "found", name };
  if (!/(?:^| )ERROR$/.test(text)) return undefined;
  return /\bsize limit exceeded\b/i.test(text) ? { kind: "too large" } : { kind: "error", text };
}
