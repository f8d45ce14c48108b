// The header of a part, line by line: what its fields say of the content (content_fields.ts). Pure.
//
// A line that is no field is text. So is a line with a CR in it, because some programs take a CR for the end of a line, and
// so of the header. If the first line is no field, there is no header.

import { bytesOf, CR, HT, LF, SP, textOf } from "../text/octets.ts";
import { type ContentFields, parseContentFields } from "./content_fields.ts";
import type { OctetSink } from "./transfer_codings.ts";
import { COLON, SLASH } from "./url_characters.ts";

// For each field that describes a part, in one header: the first ones, and the last. Postfix has the same limit for a
// header (header_size_limit).
const FIELDS_LIMIT = 4;
const FIELD_LIMIT = 102_400;

const CONTENT_TYPE = "content-type";
const CONTENT_TRANSFER_ENCODING = "content-transfer-encoding";

/** What a line is: of the header, its end, or the first line of a body that has no header. */
export type HeaderLine = "header" | "end" | "body";

export class PartHeader {
  readonly #stray: OctetSink;
  readonly #defaultType: string | undefined;
  readonly #types: string[] = [];
  readonly #codings: string[] = [];
  #isFirstLine = true;
  /** A line in this header is no field. */
  #isBroken = false;
  /** This line is read as text too. */
  #isStrayLine = false;
  /** The next piece of a field belongs here. */
  #field: string[] | undefined;

  /** `stray` gets the lines that are no fields. `defaultType` is that of a part without a type. */
  constructor(stray: OctetSink, defaultType: string | undefined) {
    this.#stray = stray;
    this.#defaultType = defaultType;
  }

  /** What the fields say. */
  get content(): ContentFields {
    const content = parseContentFields(this.#types, this.#codings);
    return { ...content, type: content.type ?? this.#defaultType };
  }

  /** Takes the next line, or the next piece of a long one. */
  take(octets: Uint8Array, start: number, end: number, isBeginning: boolean): HeaderLine {
    const isFirst = this.#isFirstLine;
    this.#isFirstLine = false;
    if (isBeginning && isEmptyLine(octets, start, end)) return "end";
    const first = octets[start]!;
    if (isBeginning && (isFirst || (first !== SP && first !== HT))) {
      const name = endOfName(octets, start, end);
      if (name === -1 && isFirst && !isMailboxLine(octets, start)) return "body";
      if (name === -1 && !isFirst) this.#isBroken = true;
      this.#field = name === -1 ? undefined : this.#fieldNamed(octets, start, name);
      if (this.#field) this.#beginField(this.#field, octets, octets.indexOf(COLON, name) + 1, end);
    } else if (this.#field) {
      const text = this.#field.pop()!;
      const room = Math.max(0, FIELD_LIMIT - text.length);
      this.#field.push(text + textOf(octets.subarray(start, Math.min(end, start + room))));
    }
    if (isBeginning) this.#isStrayLine = this.#isBroken || hasInnerCr(octets, start, end);
    if (this.#isStrayLine) this.#stray.push(octets, start, end);
    return "header";
  }

  #beginField(field: string[], octets: Uint8Array, start: number, end: number): void {
    if (field.length === FIELDS_LIMIT) field.pop();
    field.push(textOf(octets.subarray(start, Math.min(end, start + FIELD_LIMIT))));
  }

  #fieldNamed(octets: Uint8Array, start: number, end: number): string[] | undefined {
    // Most fields have another first letter or another length.
    if ((octets[start]! | 0x20) !== 0x63) return undefined;
    if (end - start !== CONTENT_TYPE.length && end - start !== CONTENT_TRANSFER_ENCODING.length) return undefined;
    const name = textOf(octets.subarray(start, end)).toLowerCase();
    if (name === CONTENT_TYPE) return this.#types;
    return name === CONTENT_TRANSFER_ENCODING ? this.#codings : undefined;
  }
}

function hasInnerCr(octets: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end - 2; at++) if (octets[at] === CR && octets[at + 1] !== CR) return true;
  return false;
}

export function isEmptyLine(octets: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (octets[at] !== CR && octets[at] !== LF) return false;
  return end > start;
}

function isAt(octets: Uint8Array, start: number, end: number, what: Uint8Array): boolean {
  if (end - start < what.length) return false;
  for (let at = 0; at < what.length; at++) if (octets[start + at] !== what[at]) return false;
  return true;
}

/** The end of a field's name (RFC 5322 s.2.2), or -1 if the line is no field. A URL at its beginning is no name. */
export function endOfName(octets: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && octets[at]! > SP && octets[at]! < 0x7f && octets[at] !== COLON) at++;
  let colon = at;
  while (colon < end && (octets[colon] === SP || octets[colon] === HT)) colon++;
  if (at === start || colon === end || octets[colon] !== COLON) return -1;
  return octets[colon + 1] === SLASH && octets[colon + 2] === SLASH ? -1 : at;
}

// Whether it is the line that begins a message in mailbox files.
function isMailboxLine(octets: Uint8Array, start: number): boolean {
  const from = octets[start] === 0x3e ? start + 1 : start;
  return isAt(octets, from, octets.length, MAILBOX);
}

const MAILBOX = bytesOf("From ");
