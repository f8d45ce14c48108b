// Reads the messages in a file: one message, or those of an mbox (RFC 4155). Pure.
//
// A file that begins with "From " is an mbox. There, a line that begins with "From " and follows an empty line begins
// the next message. Lines that were quoted with ">" are unquoted (mboxrd). If the first line of a file ends with CR LF,
// its lines have such ends. Messages come out with LF. Memory does not grow with the file.

import { bytesOf, concat, CR, LF } from "../../text/octets.ts";

/** Octets of a message. `begins`: they are the first ones of the next message. */
export interface Piece {
  readonly begins: boolean;
  readonly octets: Uint8Array;
}

const FROM = bytesOf("From ");
const QUOTE = 0x3e;

// A line with more of these before its "From " was not quoted by a mail program.
const QUOTES_LIMIT = 100;

export class MailFileReader {
  // Octets that cannot be understood yet: the beginning of a line, or a CR at the end.
  #rest: Uint8Array = new Uint8Array(0);
  #isMbox: boolean | undefined;
  #hasCrLf: boolean | undefined;
  #isLineStart = true;
  // In an mbox the empty line before a "From " line belongs to neither message.
  #emptyLine: Uint8Array | undefined;
  #isAfterEmptyLine = true;
  #skipsLine = false;
  #begins = true;
  #hasSeparator = false;

  /** Whether the file is an mbox, as far as it was read. */
  get isMbox(): boolean {
    return this.#isMbox === true;
  }

  /** The pieces that are complete with `octets`. They are copies. */
  push(octets: Uint8Array): Piece[] {
    return this.#take(octets, false);
  }

  /** The last pieces. */
  end(): Piece[] {
    const pieces = this.#take(new Uint8Array(0), true);
    if (this.#hasSeparator && this.#begins) this.#give(new Uint8Array(0), pieces);
    return pieces;
  }

  #take(octets: Uint8Array, isLast: boolean): Piece[] {
    const pieces: Piece[] = [];
    const all = this.#rest.length === 0 ? octets : concat([this.#rest, octets]);
    let at = 0;
    while (at < all.length) {
      if (this.#isLineStart) {
        const start = this.#startLine(all.subarray(at), isLast, pieces);
        if (start === undefined) break;
        at += start;
      }
      const lineFeed = all.indexOf(LF, at);
      let end = lineFeed === -1 ? all.length : lineFeed + 1;
      // It may be the CR before an LF.
      if (lineFeed === -1 && !isLast && all[end - 1] === CR) end--;
      if (end === at) break;
      if (lineFeed !== -1) this.#hasCrLf ??= lineFeed > 0 && all[lineFeed - 1] === CR;
      this.#line(all.subarray(at, end), lineFeed !== -1, pieces);
      this.#isLineStart = lineFeed !== -1;
      at = end;
    }
    this.#rest = all.slice(at);
    return pieces;
  }

  // How many octets to leave out at the start of a line; undefined if more octets are needed to know.
  #startLine(line: Uint8Array, isLast: boolean, pieces: Piece[]): number | undefined {
    let quotes = 0;
    while (quotes < QUOTES_LIMIT && line[quotes] === QUOTE) quotes++;
    const word = line.subarray(quotes, quotes + FROM.length);
    const isFrom = word.every((octet, at) => octet === FROM[at]);
    if (isFrom && word.length < FROM.length && quotes < QUOTES_LIMIT && !isLast) return undefined;
    const isWhole = isFrom && word.length === FROM.length;
    this.#isMbox ??= isWhole && quotes === 0;
    if (!this.#isMbox || !isWhole) return 0;
    if (quotes > 0) return 1;
    if (!this.#isAfterEmptyLine) return 0;
    // A message without any octets is a message, too.
    if (this.#hasSeparator && this.#begins) this.#give(new Uint8Array(0), pieces);
    this.#hasSeparator = true;
    this.#begins = true;
    this.#emptyLine = undefined;
    this.#skipsLine = true;
    return 0;
  }

  #line(part: Uint8Array, isEnd: boolean, pieces: Piece[]): void {
    if (this.#skipsLine) {
      this.#skipsLine = !isEnd;
      this.#isAfterEmptyLine = false;
      return;
    }
    if (this.#emptyLine) this.#give(this.#emptyLine, pieces);
    this.#emptyLine = undefined;
    const octets = isEnd && this.#hasCrLf ? withoutCr(part) : part;
    const isEmpty = this.#isLineStart && isEnd && (octets.length === 1 || (octets.length === 2 && octets[0] === CR));
    this.#isAfterEmptyLine = isEmpty;
    if (isEmpty && this.#isMbox) this.#emptyLine = octets.slice();
    else this.#give(octets, pieces);
  }

  #give(octets: Uint8Array, pieces: Piece[]): void {
    pieces.push({ begins: this.#begins, octets: octets.slice() });
    this.#begins = false;
  }
}

// Replaces CR LF at the end of a line by LF.
function withoutCr(line: Uint8Array): Uint8Array {
  if (line.at(-2) !== CR) return line;
  const shorter = line.slice(0, -1);
  shorter[shorter.length - 1] = LF;
  return shorter;
}
