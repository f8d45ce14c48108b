// Octets in, command or reply lines out; the same lines whatever the packets were.
//
// A line ends with CR LF (RFC 5321 s.2.3.8). A bare LF ends one as well when it is the last octet that has come: nobody
// who pipelines stops there, but a person at a terminal does, and should hear why nothing works. Such a line, and one
// with a bare LF, a bare CR or a NUL inside, is `spoilt`, and a line past the limit is `tooLong`; its octets are
// dropped as they come, so the buffer never holds more than the limit and one read.
//
// The octets of a line are a view into the buffer: use them before the next call of `space`.

import { CR, LF, NUL } from "./bytes.ts";

export interface Line {
  /** As received, with its line end. Empty for a line that was too long. */
  readonly raw: Uint8Array;
  /** Without the line end. */
  readonly bytes: Uint8Array;
  /** Ended by a bare LF, or with a bare LF, a bare CR or a NUL inside. */
  readonly spoilt: boolean;
  readonly tooLong: boolean;
}

const NOTHING = new Uint8Array(0);
const TOO_LONG: Line = { raw: NOTHING, bytes: NOTHING, spoilt: false, tooLong: true };

// Room for any sensible group of pipelined commands, and little enough for thousands of idle connections.
const SMALLEST_READ = 2048;

export class LineBuffer {
  #octets = new Uint8Array(SMALLEST_READ);
  #start = 0;
  #end = 0;
  #searched = 0;
  #dropping = false;

  /** Octets that wait to be taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Room for at least `atLeast` octets more, to read into; say `filled` afterwards. */
  space(atLeast = 1): Uint8Array<ArrayBuffer> {
    if (this.#start === this.#end) this.#start = this.#end = this.#searched = 0;
    if (this.#octets.length - this.#end < atLeast || (this.#end > 0 && this.#octets.length - this.#end < 512)) {
      this.#makeRoom(atLeast);
    }
    return this.#octets.subarray(this.#end);
  }

  /** That `count` octets have been put into `space()`. */
  filled(count: number): void {
    this.#end += count;
  }

  /** The next whole line of at most `limit` octets, its end included; undefined when more octets are needed. */
  takeLine(limit: number): Line | undefined {
    for (;;) {
      const found = this.#octets.indexOf(LF, Math.max(this.#searched, this.#start));
      const lf = found === -1 || found >= this.#end ? -1 : found;
      if (lf === -1) {
        this.#searched = this.#end;
        if (this.length >= limit) this.#drop(this.#end);
        return undefined;
      }
      this.#searched = lf + 1;
      const crlf = lf > this.#start && this.#octets[lf - 1] === CR;
      if (!crlf && lf + 1 < this.#end) continue;
      return this.#line(lf + 1, crlf, limit);
    }
  }

  /** Everything that waits, as a view; nothing is taken yet. */
  peek(): Uint8Array {
    return this.#octets.subarray(this.#start, this.#end);
  }

  /** That the first `count` octets of `peek()` have been used. */
  consume(count: number): void {
    this.#start += count;
    this.#searched = this.#start;
  }

  /** Gives back the room of a large message once nothing waits in it. */
  shrinkIfIdle(): void {
    if (this.length > 0 || this.#octets.length === SMALLEST_READ) return;
    this.#octets = new Uint8Array(SMALLEST_READ);
    this.#start = this.#end = this.#searched = 0;
  }

  #line(end: number, crlf: boolean, limit: number): Line {
    const raw = this.#octets.subarray(this.#start, end);
    this.#start = end;
    if (this.#dropping || raw.length > limit) {
      this.#dropping = false;
      return TOO_LONG;
    }
    const bytes = raw.subarray(0, raw.length - (crlf ? 2 : 1));
    return { raw, bytes, spoilt: !crlf || isSpoilt(bytes), tooLong: false };
  }

  #drop(until: number): void {
    this.#dropping = true;
    // A CR may be the first half of the line end that is still to come.
    this.#start = this.#octets[until - 1] === CR ? until - 1 : until;
    this.#searched = until;
  }

  #makeRoom(atLeast: number): void {
    const waiting = this.peek();
    const needed = waiting.length + Math.max(atLeast, 512);
    const searched = Math.max(0, this.#searched - this.#start);
    if (needed > this.#octets.length) {
      const larger = new Uint8Array(Math.max(needed, SMALLEST_READ));
      larger.set(waiting);
      this.#octets = larger;
    } else {
      this.#octets.copyWithin(0, this.#start, this.#end);
    }
    this.#end = waiting.length;
    this.#start = 0;
    this.#searched = searched;
  }
}

function isSpoilt(bytes: Uint8Array): boolean {
  return bytes.includes(LF) || bytes.includes(CR) || bytes.includes(NUL);
}
