// The questions to clamd and its answers: the INSTREAM command in its `z` form (clamd(8)). Pure.
//
// The question is `zINSTREAM` and a NUL, then the message in chunks. The length of each chunk comes before it in four
// octets, the highest first. A chunk without octets ends the question. The answer ends with a NUL:
//
//     stream: OK
//     stream: NAME FOUND
//     INSTREAM size limit exceeded. ERROR
//     ... ERROR
//
// clamd may answer before it has the whole message. It then closes the connection.

import { bytesOf } from "../../text/octets.ts";

const COMMAND = bytesOf("zINSTREAM\0");

/** The octets of a chunk's length. The end has the same form. */
const LENGTH = 4;

/** The most octets that are added to a chunk. */
export const FRAME = COMMAND.length + 2 * LENGTH;

export interface ChunkPlace {
  /** The command comes before the chunk. */
  readonly isFirst: boolean;
  /** The end comes after the chunk. */
  readonly isLast: boolean;
}

/**
 * Writes a chunk in the form of the wire into `room`. `room` must have as many octets as the chunk and `FRAME`
 * together. Returns the part of `room` that was used. An empty chunk gives only the command, the end, or both.
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
  /** `name` is clamd's name of the virus. */
  | { readonly kind: "found"; readonly name: string }
  | { readonly kind: "too large" }
  | { readonly kind: "error"; readonly text: string };

/** Reads an answer, without its NUL; undefined if the text is no answer. */
export function parseClamdAnswer(text: string): ClamdAnswer | undefined {
  if (text === "stream: OK") return { kind: "clean" };
  const name = /^stream: (.*\S.*) FOUND$/s.exec(text)?.[1];
  if (name !== undefined) return { kind: "found", name };
  if (!/(?:^| )ERROR$/.test(text)) return undefined;
  return /\bsize limit exceeded\b/i.test(text) ? { kind: "too large" } : { kind: "error", text };
}
