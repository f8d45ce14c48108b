// Octets in slices that are small enough for slow work, with turns for other work between them.

import type { Turn } from "../ports/runtime.ts";

/** Work on so many octets takes a millisecond at most, even a header of tiny fields. */
const SLICE = 8_192;

/** The octets of `chunks` in slices, and whole chunks once `isOver`. Only a chunk with several slices asks for turns. */
export async function* inSlices(
  chunks: AsyncIterable<Uint8Array>,
  turn: Turn,
  isOver: () => boolean,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    let at = 0;
    for (; at < chunk.length && !isOver(); at += SLICE) {
      if (at > 0) await turn.share();
      yield chunk.subarray(at, Math.min(chunk.length, at + SLICE));
    }
    if (at < chunk.length) yield chunk.subarray(at);
  }
}
