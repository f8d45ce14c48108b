// Replies: what a server says to a command (RFC 5321 s.4.2).
//
// A reply is its code and its octets. One from downstream keeps the octets that came, but for a bare LF at the end of a
// line, which becomes CRLF; one of our own is made by `formatReply`. `ReplyReader` joins the lines of one reply, bounded in
// length; it throws a `MalformedReply` for what is no reply, since after that nobody can say which command the next line
// belongs to.

import { bytesOf, concat, CRLF, textOf } from "../text/octets.ts";
import type { Line } from "./line_buffer.ts";

export interface Reply {
  readonly code: number;
  /** All lines, each with its CRLF. */
  readonly bytes: Uint8Array;
}

/** The first digit of a reply's code: 2 done, 3 go on, 4 later, 5 never (RFC 5321 s.4.2.1). */
export type ReplyClass = 2 | 3 | 4 | 5;

/** The longest reply line we read. RFC 5321 s.4.5.3.1.5 allows 512 octets; servers that list much in one line exist. */
export const REPLY_LINE_LIMIT = 4096;

// An EHLO reply has some 20 lines and a HELP text a hundred. More than this is no reply but a flood.
const REPLY_LINES_LIMIT = 1000;
const REPLY_OCTETS_LIMIT = 65536;

/** RFC 5321 s.4.5.3.1.5: a reply line has at most 512 octets, CRLF included. */
const OWN_LINE_LIMIT = 512;

/** What downstream said is no SMTP reply. The message tells the log why. */
export class MalformedReply extends Error {
  override readonly name = "MalformedReply";
}

export function replyClass(reply: Reply): ReplyClass {
  return Math.floor(reply.code / 100) as ReplyClass;
}

/** A reply of one line, such as `554 5.7.1 Content rejected`; `text` is ASCII and starts with the code. */
export function formatReply(text: string): Reply {
  return { code: Number(text.slice(0, 3)), bytes: bytesOf(`${text}\r\n`) };
}

/**
 * One legal reply line out of text that a filter or a scanner wrote: octets that are not printable ASCII are replaced,
 * the line is cut to 512 octets, and where `text` does not start with a 4xx or 5xx code and a space, 554 goes before it.
 * With `success`, a 2xx code is left as it is too.
 */
export function replyFromText(text: string, options: { success?: boolean } = {}): Reply {
  // deno-lint-ignore no-control-regex
  const printable = text.replace(/[\x00-\x1f\x7f]/g, " ").replace(/[^\x20-\x7e]/g, "?");
  // A tab behind the code is no space, although it becomes one.
  const line = startsWithCode(text, options) ? printable : `554 ${printable}`;
  return formatReply(line.slice(0, OWN_LINE_LIMIT - 2));
}

/** Whether `text` starts with a 4xx or 5xx code and a space; with `success`, or a 2xx code. */
export function startsWithCode(text: string, { success = false }: { success?: boolean } = {}): boolean {
  return (success ? /^[245][0-9][0-9] / : /^[45][0-9][0-9] /).test(text);
}

/** The reply as text for a log, its lines joined by a blank. */
export function replyText(reply: Reply): string {
  return textOf(reply.bytes).trimEnd().replaceAll("\r\n", " ");
}

export class ReplyReader {
  #parts: Uint8Array[] = [];
  #octets = 0;
  #code = 0;

  /** Whether the lines so far are the beginning of a reply. */
  get isInReply(): boolean {
    return this.#parts.length > 0;
  }

  /** Takes the next line; gives the reply when it was the last one. Throws `MalformedReply`. */
  push(line: Line): Reply | undefined {
    if (line.tooLong) throw new MalformedReply(`reply line of more than ${REPLY_LINE_LIMIT} octets`);
    const code = parseCode(line);
    const first = this.#parts.length === 0;
    if (!first && Math.floor(code / 100) !== Math.floor(this.#code / 100)) {
      throw new MalformedReply(`reply that mixes ${this.#code} and ${code}`);
    }
    this.#code = code;
    const last = line.bytes[3] !== 0x2d;
    const octets = concat([line.bytes, CRLF]);
    if (first && last) return { code, bytes: octets };
    this.#parts.push(octets);
    this.#octets += octets.length;
    if (this.#octets > REPLY_OCTETS_LIMIT || this.#parts.length > REPLY_LINES_LIMIT) {
      throw new MalformedReply(`reply of more than ${REPLY_LINES_LIMIT} lines or ${REPLY_OCTETS_LIMIT} octets`);
    }
    if (!last) return undefined;
    const reply = { code, bytes: concat(this.#parts) };
    this.#parts = [];
    this.#octets = 0;
    return reply;
  }
}

// "250", "250 text" and "250-text"; RFC 5321 s.4.2 has servers send a blank after the code, and clients do without.
function parseCode(line: Line): number {
  const text = textOf(line.bytes.subarray(0, 4));
  if (line.spoilt || !/^[2-5][0-9][0-9](?:[ -]|$)/.test(text)) {
    throw new MalformedReply(`no SMTP reply: ${textOf(line.bytes.subarray(0, 80))}`);
  }
  return Number(text.slice(0, 3));
}
