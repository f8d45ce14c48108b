// Takes octets, gives command or reply lines. The packets make no difference.
//
// A command line ends with CR LF (RFC 5321 s.2.3.8). The caller may also end it at a bare LF, if nothing follows for a
// while. No program stops there, but a person at a terminal does, and should hear why nothing works. Such a line is
// `spoilt`, and so is a line with a bare LF, a bare CR or a NUL inside. A reply line may end with a bare LF, because
// sloppy servers send that. It is not spoilt by it.
//
// A line past the limit is `tooLong`. The buffer drops its octets as they come, so it never holds more than the limit
// and one read. It reports a command line that is too long when the line ends, and a reply line at once.
//
// A line is a copy. It stays as it is when the buffer gets other octets.

import { CR, LF, NUL } from "../text/octets.ts";
import { copyOf, giveRoom, takeRoom } from "../text/rooms.ts";

export interface Line {
  /** As received, with its line end. Empty for a line that was too long. */
  readonly raw: Uint8Array;
  /** Without the line end. */
  readonly bytes: Uint8Array;
  /** It has a bare LF, a bare CR or a NUL inside, or it is a command line that a bare LF ended. */
  readonly spoilt: boolean;
  readonly tooLong: boolean;
}

/** A line that has come whole. The part without its line end is made only for those who ask for it. */
class WholeLine implements Line {
  readonly tooLong = false;

  constructor(readonly raw: Uint8Array, readonly length: number, readonly spoilt: boolean) {}

  get bytes(): Uint8Array {
    return this.raw.subarray(0, this.length);
  }
}

const NOTHING = new Uint8Array(0);
const TOO_LONG: Line = { raw: NOTHING, bytes: NOTHING, spoilt: false, tooLong: true };

// Enough for nearly any command, and little enough for thousands of idle connections.
const SMALL_ROOM = 512;

// A read has room for this many octets or more, also behind half a command.
const SMALLEST_READ = 128;

export class LineBuffer {
  readonly #lfEnds: boolean;
  // It is used again after each large message.
  readonly #small = new Uint8Array(SMALL_ROOM);
  #octets = this.#small;
  #start = 0;
  #end = 0;
  #searched = 0;
  #dropping = false;
  #droppedLf = false;

  constructor(holds: "commands" | "replies" = "commands") {
    this.#lfEnds = holds === "replies";
  }

  /** How many octets wait to be taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Room for at least `atLeast` more octets. Read into it, then call `filled`. */
  space(atLeast = 1): Uint8Array<ArrayBuffer> {
    if (this.#start === this.#end) this.#start = this.#end = this.#searched = 0;
    const wanted = Math.max(atLeast, SMALLEST_READ);
    if (this.#octets.length - this.#end < wanted) this.#makeRoom(wanted);
    return this.#end === 0 ? this.#octets : this.#octets.subarray(this.#end);
  }

  /** Says that `space()` now holds `count` more octets. */
  filled(count: number): void {
    this.#end += count;
  }

  /** The next line of at most `limit` octets; undefined if it needs more octets. */
  takeLine(limit: number): Line | undefined {
    const lf = this.#findLineEnd();
    if (lf !== -1) return this.#line(lf + 1, limit);
    if (this.length <= limit) return undefined;
    this.#drop(this.#end);
    // A server that sends such a reply is given up, so nothing waits for the end of its line.
    return this.#lfEnds ? TOO_LONG : undefined;
  }

  /** Whether `takeLine` would give a line. */
  get hasLine(): boolean {
    return this.#findLineEnd() !== -1;
  }

  /** Whether the buffer is still dropping a line that was too long. */
  get isDropping(): boolean {
    return this.#dropping;
  }

  /** Whether the last octet that came is a bare LF. */
  get endsWithBareLf(): boolean {
    return this.length > 0 ? this.#octets[this.#end - 1] === LF : this.#dropping && this.#droppedLf;
  }

  /** The line that a bare LF ends, because nothing has followed for a while. */
  takeBareLine(limit: number): Line {
    return this.#line(this.#end, limit);
  }

  /** All octets that wait, as a view. They stay in the buffer. */
  peek(): Uint8Array {
    return this.#octets.subarray(this.#start, this.#end);
  }

  /** Takes the first `count` octets of `peek()` out of the buffer. */
  consume(count: number): void {
    this.#start += count;
    this.#searched = this.#start;
  }

  /** Gives back the room that a large message took, if nothing waits in it. */
  shrinkIfIdle(): void {
    if (this.length > 0 || this.#octets === this.#small) return;
    this.#replaceBy(this.#small);
    this.#start = this.#end = this.#searched = 0;
  }

  // Looks at each octet once.
  #findLineEnd(): number {
    for (let from = Math.max(this.#searched, this.#start);;) {
      const lf = this.#octets.indexOf(LF, from);
      const isFound = lf !== -1 && lf < this.#end;
      this.#searched = isFound ? lf : this.#end;
      if (!isFound) return -1;
      if (this.#lfEnds || (lf > this.#start && this.#octets[lf - 1] === CR)) return lf;
      from = lf + 1;
    }
  }

  #line(end: number, limit: number): Line {
    const start = this.#start;
    this.#start = end;
    if (this.#dropping || end - start > limit) {
      this.#dropping = false;
      return TOO_LONG;
    }
    const raw = copyOf(this.#octets, start, end);
    const crlf = raw.length > 1 && raw[raw.length - 2] === CR;
    const length = raw.length - (crlf ? 2 : 1);
    return new WholeLine(raw, length, !(crlf || this.#lfEnds) || isSpoilt(raw, length));
  }

  #drop(until: number): void {
    this.#dropping = true;
    this.#droppedLf = this.#octets[until - 1] === LF;
    // A CR may be the first half of the line end that is still to come.
    this.#start = this.#octets[until - 1] === CR ? until - 1 : until;
    this.#searched = until;
  }

  #replaceBy(octets: Uint8Array<ArrayBuffer>): void {
    giveRoom(this.#octets);
    this.#octets = octets;
  }

  #makeRoom(wanted: number): void {
    const waiting = this.peek();
    const needed = waiting.length + wanted;
    const searched = Math.max(0, this.#searched - this.#start);
    if (needed > this.#octets.length) {
      const larger = takeRoom(needed);
      larger.set(waiting);
      this.#replaceBy(larger);
    } else {
      this.#octets.copyWithin(0, this.#start, this.#end);
    }
    this.#end = waiting.length;
    this.#start = 0;
    this.#searched = searched;
  }
}

function isSpoilt(line: Uint8Array, length: number): boolean {
  for (let at = 0; at < length; at++) {
    const octet = line[at];
    if (octet === LF || octet === CR || octet === NUL) return true;
  }
  return false;
}
