// Octets in, command or reply lines out; the same lines whatever the packets were.
//
// A command line ends with CR LF (RFC 5321 s.2.3.8). A bare LF ends one as well when nothing follows it for a while, which
// the caller knows: no program stops there, but a person at a terminal does, and should hear why nothing works. Such a
// line, and one with a bare LF, a bare CR or a NUL inside, is `spoilt`. A reply line may end with a bare LF, as sloppy
// servers have it, and is not spoilt by that. A line past the limit is `tooLong`; its octets are dropped as they come, so
// the buffer never holds more than the limit and one read. A command line is told when it ends, a reply line at once.
//
// The octets of a line are a view into the buffer: use them before the next call of `space`.

import { CR, LF, NUL } from "../text/octets.ts";

export interface Line {
  /** As received, with its line end. Empty for a line that was too long. */
  readonly raw: Uint8Array;
  /** Without the line end. */
  readonly bytes: Uint8Array;
  /** With a bare LF, a bare CR or a NUL inside; or a command line that a bare LF ended. */
  readonly spoilt: boolean;
  readonly tooLong: boolean;
}

const NOTHING = new Uint8Array(0);
const TOO_LONG: Line = { raw: NOTHING, bytes: NOTHING, spoilt: false, tooLong: true };

// Room for any sensible group of pipelined commands, and little enough for thousands of idle connections.
const SMALLEST_READ = 2048;

export class LineBuffer {
  readonly #lfEnds: boolean;
  #octets = new Uint8Array(SMALLEST_READ);
  #start = 0;
  #end = 0;
  #searched = 0;
  #dropping = false;
  #droppedLf = false;

  constructor(holds: "commands" | "replies" = "commands") {
    this.#lfEnds = holds === "replies";
  }

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

  /** The next line of at most `limit` octets, or undefined when more octets are needed. */
  takeLine(limit: number): Line | undefined {
    const lf = this.#findLineEnd();
    if (lf !== -1) return this.#line(lf + 1, limit);
    if (this.length <= limit) return undefined;
    this.#drop(this.#end);
    // A server whose reply is no reply is given up: nobody waits for the end of the line.
    return this.#lfEnds ? TOO_LONG : undefined;
  }

  /** Whether `takeLine` has one to give. */
  get hasLine(): boolean {
    return this.#findLineEnd() !== -1;
  }

  /** Whether a line that was too long still goes on. */
  get isDropping(): boolean {
    return this.#dropping;
  }

  /** Whether a bare LF is the last octet that has come. */
  get endsWithBareLf(): boolean {
    return this.length > 0 ? this.#octets[this.#end - 1] === LF : this.#dropping && this.#droppedLf;
  }

  /** The line that a bare LF ends, nothing having followed it for a while. */
  takeBareLine(limit: number): Line {
    return this.#line(this.#end, limit);
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

  // No octet is looked at twice.
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
    const raw = this.#octets.subarray(this.#start, end);
    this.#start = end;
    if (this.#dropping || raw.length > limit) {
      this.#dropping = false;
      return TOO_LONG;
    }
    const crlf = raw.length > 1 && raw[raw.length - 2] === CR;
    const bytes = raw.subarray(0, raw.length - (crlf ? 2 : 1));
    return { raw, bytes, spoilt: !(crlf || this.#lfEnds) || isSpoilt(bytes), tooLong: false };
  }

  #drop(until: number): void {
    this.#dropping = true;
    this.#droppedLf = this.#octets[until - 1] === LF;
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
