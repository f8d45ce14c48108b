// Message content between the wire and the spool: line ends, dots, and the end of data (RFC 5321 s.4.5.2).
//
// On the wire a line ends with CR LF, and a leading dot is doubled. CR LF . CR LF is the end, and nothing else is. In
// the spool a line ends with LF, and dots are as the author wrote them. A CR in the spool is always a bare one.
//
// Some servers see an end of data in other octets, too. They take a bare LF or CR for a line end, or drop a NUL. No
// server may see an end of data inside what we send (SMTP smuggling). So we also look at the content with lenient eyes:
// CR, LF and CR LF end a line, and NUL is nothing. Then:
//   * A bare LF becomes a line end. The encoder doubles a dot after it like any other.
//   * A single dot may be alone on its line only to lenient eyes, because a bare CR or a NUL stands before it. It gets
//     a second dot after it. To a lenient server that is a doubled dot. Nothing else in the message changes.
// The decoder does this, too, so the filter judges what downstream will read. The encoder changes nothing more in what
// the decoder made. Both keep their state between chunks, so packets may end anywhere.

import { CR, DOT, LF, NUL } from "../text/octets.ts";

// The place of the next octet. "Lenient start": only lenient eyes see a line start here.
const START = 0; // behind CR LF, or at the beginning
const START_DOT = 1; // ... and then a dot
const START_DOT_CR = 2; // ... and then a dot and a CR
const TEXT = 3;
const CR_SEEN = 4; // a CR that may be half a line end, or bare
const LF_START = 5; // behind a bare LF: a line start in the spool, but no place for the end of data
const LENIENT_START = 6;
const LENIENT_DOT = 7; // ... and then a dot

// Copies octets of `from` that are not control characters, from `at` on. Returns how many. It leaves the last 15 octets
// of `from` to the caller, and may overwrite up to 16 octets of `into` after the copy.
function copyText(from: DataView, at: number, into: DataView, to: number): number {
  const start = at;
  for (const end = from.byteLength - 16; at <= end; at += 16, to += 16) {
    const a = from.getInt32(at, true);
    const b = from.getInt32(at + 4, true);
    const c = from.getInt32(at + 8, true);
    const d = from.getInt32(at + 12, true);
    into.setInt32(to, a, true);
    into.setInt32(to + 4, b, true);
    into.setInt32(to + 8, c, true);
    into.setInt32(to + 12, d, true);
    if (hasControl(a)) return at - start + controlIn(a);
    if (hasControl(b)) return at - start + 4 + controlIn(b);
    if (hasControl(c)) return at - start + 8 + controlIn(c);
    if (hasControl(d)) return at - start + 12 + controlIn(d);
  }
  return at - start;
}

// Whether one of the four octets in a word is below 0x0e, as CR, LF and NUL are. The subtraction then borrows from its
// high bit.
function hasControl(word: number): boolean {
  return ((word - 0x0e0e0e0e) & ~word & 0x80808080) !== 0;
}

// The place of the first such octet.
function controlIn(word: number): number {
  const controls = (word - 0x0e0e0e0e) & ~word & 0x80808080;
  return (31 - Math.clz32(controls & -controls)) >> 3;
}

/** The room that `decode` may need for `length` octets: one extra dot for every two, and the octets it held back. */
export function decodedRoom(length: number): number {
  return length + (length >> 1) + 4;
}

/** How many octets always fit into `room` when decoded: the inverse of `decodedRoom`. */
export function decodable(room: number): number {
  return Math.floor((2 * (room - 4) + 1) / 3);
}

/** From the wire to the spool, up to the end of data. */
export class DotDecoder {
  #state = START;
  #done = false;
  #bareLf = false;
  #bareCr = false;
  #consumed = 0;
  #size = 0;
  #crLines = 0;
  #last = 0; // octet written

  /** Whether the end of data has been read. */
  get done(): boolean {
    return this.#done;
  }

  /** Whether the content had an LF without a CR before it, or a CR without an LF after it. */
  get bareNewline(): boolean {
    return this.#bareLf || this.#bareCr;
  }

  /** How many lines still end with CR LF in the spool: CR CR LF on the wire. */
  get crLines(): number {
    return this.#crLines;
  }

  /**
   * The size of the message as RFC 1870 s.5 counts it: octets on the wire, without doubled dots and the end of data.
   */
  get size(): number {
    return this.#size;
  }

  /** How many octets of the last chunk belong to the message, including its end of data. */
  get consumed(): number {
    return this.#consumed;
  }

  /** Decodes `wire` into `out`, which has room for `decodedRoom(wire.length)`. Returns how many octets it wrote. */
  decode(wire: Uint8Array, out: Uint8Array): number {
    const length = wire.length;
    const from = new DataView(wire.buffer, wire.byteOffset, length);
    const into = new DataView(out.buffer, out.byteOffset, out.length);
    let state = this.#state;
    let at = 0;
    let to = 0;
    let dots = 0;
    while (at < length) {
      const octet = wire[at++]!;
      if (state === TEXT ? octet !== CR && octet !== LF : state === START && octet > CR && octet !== DOT) {
        out[to++] = octet;
        const count = copyText(from, at, into, to);
        at += count;
        to += count;
        state = TEXT;
        continue;
      }
      switch (state) {
        case TEXT:
          if (octet === CR && wire[at] === LF) {
            out[to++] = LF;
            at++;
            state = START;
          } else if (octet === CR) {
            state = CR_SEEN;
          } else {
            out[to++] = LF;
            this.#bareLf = true;
            state = LF_START;
          }
          continue;
        case START:
          if (octet === DOT) {
            state = START_DOT;
            continue;
          }
          break;
        case START_DOT:
          if (octet === CR) {
            state = START_DOT_CR;
            continue;
          }
          // The line goes on, so its first dot is not part of it.
          dots++;
          state = octet === DOT ? TEXT : START;
          if (octet === DOT) {
            out[to++] = DOT;
            continue;
          }
          break;
        case START_DOT_CR:
          if (octet === LF) {
            this.#done = true;
            this.#state = START;
            this.#consumed = at;
            this.#size += at - dots - END_OF_DATA.length;
            return to;
          }
          dots++;
          out[to++] = CR;
          this.#bareCr = true;
          state = LENIENT_START;
          break;
        case CR_SEEN:
          if (octet === LF) {
            if ((to > 0 ? out[to - 1] : this.#last) === CR) this.#crLines++;
            out[to++] = LF;
            state = START;
            continue;
          }
          out[to++] = CR;
          this.#bareCr = true;
          state = LENIENT_START;
          break;
      }
      // Here is a line start of either kind, or the place after a dot that only lenient eyes see alone on its line.
      if (octet === CR || octet === LF) {
        if (state === LENIENT_DOT) out[to++] = DOT;
        if (octet === CR) {
          state = CR_SEEN;
        } else {
          out[to++] = LF;
          this.#bareLf = true;
          state = LF_START;
        }
      } else {
        out[to++] = octet;
        if (octet === NUL) state = state === LENIENT_DOT ? LENIENT_DOT : LENIENT_START;
        else if (octet === DOT && state === LENIENT_START) state = LENIENT_DOT;
        else state = TEXT;
      }
    }
    this.#state = state;
    if (to > 0) this.#last = out[to - 1]!;
    this.#consumed = length;
    this.#size += length - dots;
    return to;
  }
}

/** How the lines of a source end: those of the spool with LF, those of a filter's output with LF or CR LF. */
export type LineEnds = "lf" | "lf-or-crlf";

/**
 * The room that `encode` may need for `length` octets: an LF becomes two octets, and each other octet may get a dot. The
 * octets of `end` fit in after them.
 */
export function encodedRoom(length: number): number {
  return 2 * length + 12;
}

/** From the spool, or from a filter's output, to the wire. */
export class DotEncoder {
  #state = START;
  readonly #crlf: boolean;

  constructor(lineEnds: LineEnds) {
    this.#crlf = lineEnds === "lf-or-crlf";
  }

  /**
   * Encodes `content` into `out`, which has room for `encodedRoom(content.length)`. Returns how many octets it wrote.
   */
  encode(content: Uint8Array, out: Uint8Array): number {
    const length = content.length;
    const from = new DataView(content.buffer, content.byteOffset, length);
    const into = new DataView(out.buffer, out.byteOffset, out.length);
    let state = this.#state;
    let at = 0;
    let to = 0;
    while (at < length) {
      const octet = content[at++]!;
      if (state === TEXT ? octet !== CR && octet !== LF : state === START && octet > CR && octet !== DOT) {
        out[to++] = octet;
        const count = copyText(from, at, into, to);
        at += count;
        to += count;
        state = TEXT;
        continue;
      }
      if (state === CR_SEEN) {
        if (octet === LF) {
          out[to++] = CR;
          out[to++] = LF;
          state = START;
          continue;
        }
        out[to++] = CR;
        state = LENIENT_START;
      }
      if (octet === LF) {
        if (state === LENIENT_DOT) out[to++] = DOT;
        out[to++] = CR;
        out[to++] = LF;
        state = START;
      } else if (octet === CR) {
        if (state === LENIENT_DOT) out[to++] = DOT;
        if (this.#crlf) {
          state = CR_SEEN;
        } else {
          out[to++] = CR;
          state = LENIENT_START;
        }
      } else {
        if (octet === DOT && state === START) out[to++] = DOT;
        out[to++] = octet;
        if (octet === NUL) state = state === LENIENT_DOT ? LENIENT_DOT : LENIENT_START;
        else if (octet === DOT && state === LENIENT_START) state = LENIENT_DOT;
        else state = TEXT;
      }
    }
    this.#state = state;
    return to;
  }

  /** The octets that end the message: a line end if the last line has none, then the single dot. */
  end(): Uint8Array {
    const state = this.#state;
    this.#state = START;
    if (state === START) return END_OF_DATA;
    const dot = state === LENIENT_DOT ? [DOT] : [];
    const cr = state === CR_SEEN ? [CR] : [];
    return Uint8Array.of(...dot, ...cr, CR, LF, ...END_OF_DATA);
  }
}

const END_OF_DATA = Uint8Array.of(DOT, CR, LF);
