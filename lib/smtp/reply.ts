// Replies: a server's answers to commands (RFC 5321 s.4.2).
//
// A reply is its code and its octets. A reply from downstream keeps its octets, except that a bare LF at the end of a
// line becomes CRLF. `formatReply` makes our own replies. `ReplyReader` joins the lines of one reply and limits its
// length. It throws a `MalformedReply` for anything else, because nobody could then say which command the next line
// answers.

import { bytesOf, concat, CR, CRLF, LF, SP, textOf } from "../text/octets.ts";
import type { Line } from "./line_buffer.ts";

export interface Reply {
  readonly code: number;
  /** All lines, each with its CRLF. */
  readonly bytes: Uint8Array;
}

/** The first digit of a reply's code: 2 done, 3 go on, 4 later, 5 never (RFC 5321 s.4.2.1). */
export type ReplyClass = 2 | 3 | 4 | 5;

/**
 * The longest reply line that we read. RFC 5321 s.4.5.3.1.5 allows 512 octets, but some servers put long lists in one
 * line.
 */
export const REPLY_LINE_LIMIT = 4096;

// An EHLO reply has about 20 lines, and a HELP text a hundred. Anything longer is a flood.
const REPLY_LINES_LIMIT = 1000;
const REPLY_OCTETS_LIMIT = 65536;

const HYPHEN = 0x2d;

/** RFC 5321 s.4.5.3.1.5: a reply line has at most 512 octets, CRLF included. */
const OWN_LINE_LIMIT = 512;

/** Downstream said something that is no SMTP reply. The message is for the log and says why. */
export class MalformedReply extends Error {
  override readonly name = "MalformedReply";
}

export function replyClass(reply: Reply): ReplyClass {
  return Math.floor(reply.code / 100) as ReplyClass;
}

/** A reply of one line, such as `554 5.7.1 Content rejected`. `text` is ASCII and starts with the code. */
export function formatReply(text: string): Reply {
  return { code: Number(text.slice(0, 3)), bytes: bytesOf(`${text}\r\n`) };
}

/**
 * Makes one legal reply line of text from a filter or a scanner. It replaces octets that are not printable ASCII, and
 * cuts the line to 512 octets. If `text` does not start with a 4xx or 5xx code and a space, it puts 554 before it. With
 * `success`, it also accepts a 2xx code.
 */
export function replyFromText(text: string, options: { success?: boolean } = {}): Reply {
  // deno-lint-ignore no-control-regex
  const printable = text.replace(/[\x00-\x1f\x7f]/g, " ").replace(/[^\x20-\x7e]/g, "?");
  // A tab after the code does not count as a space, although it becomes one in the reply.
  const line = startsWithCode(text, options) ? printable : `554 ${printable}`;
  return formatReply(line.slice(0, OWN_LINE_LIMIT - 2));
}

/** Whether `text` starts with a code and a space. The code is 4xx or 5xx, or with `success` also 2xx. */
export function startsWithCode(text: string, { success = false }: { success?: boolean } = {}): boolean {
  return (success ? /^[245][0-9][0-9] / : /^[45][0-9][0-9] /).test(text);
}

/** The reply as text for the log. Blanks join its lines. */
export function replyText(reply: Reply): string {
  return textOf(reply.bytes).trimEnd().replaceAll("\r\n", " ");
}

export class ReplyReader {
  #parts: Uint8Array[] = [];
  #octets = 0;
  #code = 0;

  /** Whether a reply has begun and is not complete. */
  get isInReply(): boolean {
    return this.#parts.length > 0;
  }

  /** Takes the next line. Returns the reply if this line is its last one. Throws `MalformedReply`. */
  push(line: Line): Reply | undefined {
    if (line.tooLong) throw new MalformedReply(`reply line of more than ${REPLY_LINE_LIMIT} octets`);
    const code = parseCode(line);
    const first = this.#parts.length === 0;
    if (!first && Math.floor(code / 100) !== Math.floor(this.#code / 100)) {
      throw new MalformedReply(`reply that mixes ${this.#code} and ${code}`);
    }
    this.#code = code;
    const { raw } = line;
    const last = raw[3] !== HYPHEN;
    const octets = raw.at(-2) === CR ? raw : concat([line.bytes, CRLF]);
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

// Reads "250", "250 text" and "250-text". RFC 5321 s.4.2 makes servers send a blank after the code, but clients
// must accept a code without it.
function parseCode(line: Line): number {
  const { raw, spoilt } = line;
  const first = digit(raw[0]);
  const second = digit(raw[1]);
  const third = digit(raw[2]);
  const isCode = first >= 2 && first <= 5 && second >= 0 && third >= 0;
  const isEnd = raw[3] === SP || raw[3] === HYPHEN || raw[3] === CR || raw[3] === LF || raw.length === 3;
  if (spoilt || !isCode || !isEnd) throw new MalformedReply(`no SMTP reply: ${textOf(line.bytes.subarray(0, 80))}`);
  return 100 * first + 10 * second + third;
}

// The value of an octet that is a digit; otherwise -1.
function digit(octet = 0): number {
  return octet >= 0x30 && octet <= 0x39 ? octet - 0x30 : -1;
}
