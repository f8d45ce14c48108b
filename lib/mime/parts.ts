// Reads the parts of a message (RFC 2045, RFC 2046) piece by piece, and decodes their content: `multipart/*` and
// `message/rfc822`, nested in any way. Pure.
//
// Nothing is an error. Content without a sensible declaration is text. So is anything before the first part, after the
// last one, and between fields of a header. Text in place of declared base64 is read as both. Parts that are nested
// deeper than the bound, and parts after the last one that the bound allows, are read as text as they stand there.
//
// It keeps a line of a header, a field, and the boundaries in memory. Each octet costs about the same.

import { bytesOf, CR, HT, LF, SP } from "../text/octets.ts";
import { BOUNDARY_LIMIT, type ContentFields } from "./content_fields.ts";
import { LineRun } from "./line_run.ts";
import { endOfName, isEmptyLine, PartHeader } from "./part_header.ts";
import type { TextKind, TextSink } from "./text_reader.ts";
import { Base64Decoder, type Decoder, type OctetSink, QuotedPrintableDecoder } from "./transfer_codings.ts";

export interface PartsSinks {
  /** Takes the parts, one after another. */
  readonly text: TextSink;
  /** Takes text from places where no text should be. */
  readonly stray: TextSink;
  /** Called once for each bound that is reached. */
  reached(bound: "parts" | "depth"): void;
}

export const PARTS_LIMIT = 50;
export const DEPTH_LIMIT = 20;

// RFC 2046 s.5.2.1 forbids encoded messages in messages. Each octet is decoded once for each encoded message around it.
const ENCODINGS_LIMIT = 2;

// The most that is kept of a line until its end comes. No line with a meaning is longer.
const LINE_LIMIT = 1_024;

const HYPHEN = 0x2d;

interface Multipart {
  /** One character for each octet. */
  readonly boundaries: readonly string[];
  readonly depth: number;
  readonly isDigest: boolean;
}

/** The counts for the bounds, for a message with all messages in it. */
interface Count {
  parts: number;
}

/** A line, or a piece of a long one. */
interface Line {
  readonly start: number;
  readonly end: number;
  readonly isBeginning: boolean;
}

/** The facts about a message from the message around it. */
interface Outside {
  readonly count?: Count;
  readonly depth?: number;
  /** How many messages around it are encoded. */
  readonly encodings?: number;
}

const PLAIN: TextKind = { charset: "", isText: true };

export class PartsReader implements Decoder {
  readonly #sinks: PartsSinks;
  readonly #count: Count;
  readonly #encodings: number;
  /** The text for the sinks, line by line. */
  readonly #text: LineRun;
  readonly #stray: LineRun;
  readonly #base64: Base64Decoder;
  readonly #quotedPrintable: QuotedPrintableDecoder;
  readonly #multiparts: Multipart[] = [];
  /** The place in `#multiparts` of the multipart with this boundary. */
  readonly #boundaries = new Map<string, number>();
  /** The depth of the present part. */
  #depth: number;
  /** The header that we are in; undefined in a body. */
  #header: PartHeader | undefined;
  /** Takes the content of the part. */
  #content: Decoder | undefined;
  #nested: PartsReader | undefined;
  /** Whether it is not known yet that this is an encoded message. Its first line tells. */
  #isNestedUnsure = false;
  readonly #line = new Uint8Array(LINE_LIMIT);
  #length = 0;
  /** Whether the beginning of this line has been read. */
  #isInLine = false;

  constructor(sinks: PartsSinks, { count = { parts: 0 }, depth = 0, encodings = 0 }: Outside = {}) {
    this.#sinks = sinks;
    this.#count = count;
    this.#depth = depth;
    this.#encodings = encodings;
    this.#text = new LineRun(sinks.text);
    this.#stray = new LineRun(sinks.stray);
    this.#beginHeader(undefined);
    const content: OctetSink = { push: (octets, start, end) => (this.#nested ?? sinks.text).push(octets, start, end) };
    this.#base64 = new Base64Decoder(content);
    this.#quotedPrintable = new QuotedPrintableDecoder(content);
  }

  /** Takes the next octets of the message. Lines end with LF. */
  push(octets: Uint8Array, start = 0, end = octets.length): void {
    let at = start;
    if (this.#length > 0) at = this.#finishLine(octets, start, end);
    while (at < end) {
      const lf = octets.indexOf(LF, at);
      if (lf === -1 || lf >= end) {
        this.#keep(octets, at, end);
        break;
      }
      this.#takeInPieces(octets, at, lf + 1);
      at = lf + 1;
    }
    this.#flushRuns();
  }

  /** Ends the message. */
  end(): void {
    if (this.#length > 0) this.#flushLine();
    if (this.#header) this.#endHeader(this.#header);
    this.#endContent();
  }

  // --- Lines

  // Continues the line that was kept.
  #finishLine(octets: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#length < LINE_LIMIT) {
      const octet = octets[at++]!;
      this.#line[this.#length++] = octet;
      if (octet === LF) break;
    }
    const isWhole = this.#line[this.#length - 1] === LF;
    if (isWhole || this.#length === LINE_LIMIT) this.#flushLine();
    return at;
  }

  #keep(octets: Uint8Array, start: number, end: number): void {
    if (this.#isInLine || end - start >= LINE_LIMIT) return this.#takeInPieces(octets, start, end);
    this.#flushRuns();
    for (let at = start; at < end; at++) this.#line[this.#length++] = octets[at]!;
  }

  // The first piece of a long line is always as long, however the message comes.
  #takeInPieces(octets: Uint8Array, start: number, end: number): void {
    const first = this.#isInLine ? end : Math.min(end, start + LINE_LIMIT);
    this.#takeLine(octets, start, first);
    if (first < end) this.#takeLine(octets, first, end);
  }

  #flushLine(): void {
    const length = this.#length;
    this.#length = 0;
    this.#takeLine(this.#line, 0, length);
    this.#flushRuns();
  }

  #flushRuns(): void {
    this.#text.flush();
    this.#stray.flush();
  }

  // Takes a line, or a piece of a long one.
  #takeLine(octets: Uint8Array, start: number, end: number): void {
    const isBeginning = !this.#isInLine;
    this.#isInLine = octets[end - 1] !== LF;
    if (
      isBeginning && this.#multiparts.length > 0 && octets[start] === HYPHEN && octets[start + 1] === HYPHEN &&
      this.#takeBoundary(octets, start, end)
    ) return;
    if (this.#header) this.#takeHeaderLine(this.#header, octets, { start, end, isBeginning });
    else this.#takeContent(octets, start, end);
  }

  // --- Boundaries

  #takeBoundary(octets: Uint8Array, start: number, end: number): boolean {
    let last = end;
    while (last > start && isBlank(octets[last - 1]!)) last--;
    const from = start + 2;
    if (last <= from) return false;
    const line = latin1(octets.subarray(from, Math.min(last, from + BOUNDARY_LIMIT + 2)));
    const at = this.#boundaries.get(line.slice(0, BOUNDARY_LIMIT));
    if (at !== undefined) {
      this.#beginPart(this.#multiparts[at]!, at);
      return true;
    }
    const ended = line.endsWith("--") ? this.#boundaries.get(line.slice(0, -2)) : undefined;
    if (ended !== undefined) this.#endMultipart(ended);
    return ended !== undefined;
  }

  // The innermost of two with the same boundary counts.
  #keepMultiparts(count: number): void {
    this.#multiparts.length = count;
    this.#boundaries.clear();
    for (const [at, { boundaries }] of this.#multiparts.entries()) {
      for (const boundary of boundaries) this.#boundaries.set(boundary, at);
    }
  }

  #beginPart(multipart: Multipart, at: number): void {
    this.#leavePart();
    this.#keepMultiparts(at + 1);
    if (!this.#mayHavePart()) return;
    this.#depth = multipart.depth + 1;
    this.#beginHeader(multipart.isDigest ? "message/rfc822" : undefined);
  }

  #mayHavePart(): boolean {
    if (++this.#count.parts <= PARTS_LIMIT) return true;
    if (this.#count.parts === PARTS_LIMIT + 1) this.#sinks.reached("parts");
    this.#keepMultiparts(0);
    this.#beginText(PLAIN, "none");
    return false;
  }

  #endMultipart(at: number): void {
    this.#leavePart();
    this.#keepMultiparts(at);
    this.#beginText(PLAIN, "none");
  }

  #leavePart(): void {
    if (this.#header) this.#stray.end();
    else this.#endContent();
  }

  // --- Headers

  #beginHeader(defaultType: string | undefined): PartHeader {
    return this.#header = new PartHeader(this.#stray, defaultType);
  }

  #takeHeaderLine(header: PartHeader, octets: Uint8Array, { start, end, isBeginning }: Line): void {
    const line = header.take(octets, start, end, isBeginning);
    if (line === "header") return;
    this.#endHeader(header);
    if (line === "body") this.#takeContent(octets, start, end);
  }

  #endHeader(header: PartHeader): void {
    this.#stray.end();
    this.#header = undefined;
    const { type, charset, boundaries, coding } = header.content;
    const isMessage = type !== undefined && MESSAGE.test(type);
    const isDeep = this.#depth >= DEPTH_LIMIT;
    if (isDeep && (isMessage || boundaries.length > 0)) {
      this.#sinks.reached("depth");
      return this.#beginText(PLAIN, coding);
    }
    if (isMessage && coding !== "none" && this.#encodings === ENCODINGS_LIMIT) {
      this.#sinks.reached("depth");
      return this.#beginText(PLAIN, coding);
    }
    if (isMessage) return this.#beginMessage(coding);
    if (boundaries.length > 0) {
      const isDigest = type === "multipart/digest";
      this.#multiparts.push({
        boundaries: boundaries.map((boundary) => latin1(bytesOf(boundary)).slice(0, BOUNDARY_LIMIT)),
        depth: this.#depth,
        isDigest,
      });
      this.#keepMultiparts(this.#multiparts.length);
    }
    const isText = type === undefined || !type.includes("/") || type.startsWith("text/") || boundaries.length > 0;
    this.#beginText({ charset, isText }, coding);
  }

  #beginMessage(coding: ContentFields["coding"]): void {
    if (coding === "none") {
      this.#depth++;
      this.#beginHeader(undefined);
      return;
    }
    const outside = { count: this.#count, depth: this.#depth + 1, encodings: this.#encodings + 1 };
    this.#nested = new PartsReader(this.#sinks, outside);
    this.#content = coding === "base64" ? this.#base64 : this.#quotedPrintable;
    this.#isNestedUnsure = coding === "base64";
  }

  // --- Content

  #beginText(kind: TextKind, coding: ContentFields["coding"]): void {
    const { text, stray } = this.#sinks;
    this.#header = undefined;
    text.begin(kind);
    stray.begin(PLAIN);
    this.#content = coding === "none" ? this.#text : coding === "base64" ? this.#base64 : this.#quotedPrintable;
  }

  #takeContent(octets: Uint8Array, start: number, end: number): void {
    if (this.#isNestedUnsure && !isEmptyLine(octets, start, end)) {
      this.#isNestedUnsure = false;
      // This is a header, so it is no base64.
      if (endOfName(octets, start, end) !== -1) {
        this.#nested = undefined;
        this.#depth++;
        const header = this.#beginHeader(undefined);
        return this.#takeHeaderLine(header, octets, { start, end, isBeginning: true });
      }
    }
    if (!this.#nested && this.#sinks.text.isNone) return;
    this.#content?.push(octets, start, end);
    if (this.#content === this.#base64 && this.#base64.hasForeign) this.#stray.push(octets, start, end);
  }

  #endContent(): void {
    this.#content?.end();
    this.#nested?.end();
    this.#nested = undefined;
    this.#isNestedUnsure = false;
    this.#content = undefined;
    this.#sinks.text.end();
    this.#stray.end();
  }
}

const MESSAGE = /^message\/(?:rfc822|rfc2822|global|news|partial)$/;

function isBlank(octet: number): boolean {
  return octet === SP || octet === HT || octet === CR || octet === LF;
}

function latin1(octets: Uint8Array): string {
  return String.fromCharCode.apply(null, octets as unknown as number[]);
}
