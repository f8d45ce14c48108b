// Finds the lines of a text that an automaton matches. The text comes in chunks of any size.
//
// It keeps only the beginning of a line, so a line of 50 MB costs no more memory than that. It works in slices. Between
// them the caller can give others a turn.

import { concat, LF } from "../text/octets.ts";
import type { Automaton, Cursor } from "./automaton.ts";

export interface FoundLine {
  /** The lowest number of an expression that matches. */
  readonly expression: number;
  /** The line or its beginning, without its line end. Valid until the next step. */
  readonly text: Uint8Array;
  readonly isWhole: boolean;
}

export class LineScanner {
  readonly #automaton: Automaton;
  readonly #keep: number;
  readonly #cursor: Cursor;
  // The parts of the present line that came in earlier chunks.
  #kept: Uint8Array[] = [];
  #keptLength = 0;
  #length = 0;

  /** Keeps at most `keep` octets of a line that goes over several chunks. */
  constructor(automaton: Automaton, keep: number) {
    this.#automaton = automaton;
    this.#keep = keep;
    this.#cursor = automaton.start();
  }

  /** Reads the next `chunk`. Yields a line that matches, when its end has come, and undefined after a slice of work. */
  *scan(chunk: Uint8Array): Generator<FoundLine | undefined> {
    let lineStart = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.#cursor.matched === undefined) {
        const before = at;
        at = this.#automaton.run(this.#cursor, chunk, at);
        const lineEnd = at === before ? -1 : chunk.subarray(before, at).lastIndexOf(LF);
        if (lineEnd !== -1) {
          lineStart = before + lineEnd + 1;
          this.#forget();
        }
        yield undefined;
      } else {
        const lineEnd = chunk.indexOf(LF, at);
        if (lineEnd === -1) break;
        this.#add(chunk.subarray(lineStart, lineEnd));
        yield {
          expression: this.#cursor.matched,
          text: concat(this.#kept),
          isWhole: this.#length === this.#keptLength,
        };
        this.#forget();
        Object.assign(this.#cursor, this.#automaton.start());
        at = lineStart = lineEnd + 1;
      }
    }
    this.#add(chunk.subarray(lineStart));
  }

  /** Ends the text. A last line without a line end counts as a line. */
  *end(): Generator<FoundLine | undefined> {
    if (this.#length > 0) yield* this.scan(Uint8Array.of(LF));
  }

  #add(octets: Uint8Array): void {
    const kept = octets.slice(0, this.#keep - this.#keptLength);
    if (kept.length > 0) this.#kept.push(kept);
    this.#keptLength += kept.length;
    this.#length += octets.length;
  }

  #forget(): void {
    this.#kept = [];
    this.#keptLength = 0;
    this.#length = 0;
  }
}
