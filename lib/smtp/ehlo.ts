// The reply to EHLO, without the keywords that a content filter cannot honour.
//
// Some extensions are taken out. With them content would not travel by DATA, or we could not read it. XCLIENT is taken
// out because a stranger could use it to borrow downstream's trust in our address. All others stay: without its keyword
// mail bounces or loses its signatures. SIZE (RFC 1870) is lowered to our own limit if we have one.

import { bytesOf, concat, CRLF, LF, textOf } from "../text/octets.ts";
import type { Reply } from "./reply.ts";

const HIDDEN: ReadonlySet<string> = new Set([
  "STARTTLS",
  "CHUNKING",
  "BINARYMIME",
  "BURL",
  "CHECKPOINT",
  "XEXCH50",
  "XCLIENT",
]);

const MORE = bytesOf("250-");
const LAST = bytesOf("250 ");

/** The EHLO reply for our client. `maxSize` is our own limit in octets. A reply other than 250 stays as it is. */
export function filterEhlo(reply: Reply, maxSize?: number): Reply {
  if (reply.code !== 250) return reply;
  const [greeting, ...lines] = linesOf(reply);
  const kept = lines.filter(({ keyword }) => !HIDDEN.has(keyword));
  const sized = maxSize === undefined ? kept : lowerSize(kept, maxSize);
  if (sized.length === lines.length && sized.every((line, at) => line === lines[at])) return reply;
  const texts = [greeting!, ...sized].map(({ text }) => text);
  const last = texts.length - 1;
  return { code: 250, bytes: concat(texts.flatMap((text, at) => [at < last ? MORE : LAST, text, CRLF])) };
}

/** Whether the reply to EHLO offers the extension `keyword`. The keyword must be in capitals. */
export function offers(reply: Reply, keyword: string): boolean {
  return reply.code === 250 && linesOf(reply).slice(1).some((line) => line.keyword === keyword);
}

/** A line without its code and its CRLF. It is kept as octets, so a line that stays does not change. */
interface Line {
  readonly text: Uint8Array;
  readonly keyword: string;
}

// A server says the same to nearly every client. So the last reply is kept with its keywords.
let known: { readonly bytes: Uint8Array; readonly lines: readonly Line[] } = { bytes: new Uint8Array(0), lines: [] };

function linesOf({ bytes }: Reply): readonly Line[] {
  if (!isSame(bytes, known.bytes)) known = { bytes, lines: parse(bytes) };
  return known.lines;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}

function parse(bytes: Uint8Array): Line[] {
  const lines: Line[] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(LF, start);
    const text = bytes.subarray(start + MORE.length, end + 1 - CRLF.length);
    lines.push({ text, keyword: keywordOf(text) });
  }
  return lines;
}

function keywordOf(text: Uint8Array): string {
  return /^[^\s=]*/.exec(textOf(text).trimStart())![0].toUpperCase();
}

// RFC 1870 s.3: SIZE without a number, or with 0, means that the server has no fixed limit.
function lowerSize(lines: readonly Line[], maxSize: number): readonly Line[] {
  const ours = { text: bytesOf(`SIZE ${maxSize}`), keyword: "SIZE" };
  if (!lines.some(({ keyword }) => keyword === "SIZE")) return [...lines, ours];
  return lines.map((line) => {
    if (line.keyword !== "SIZE") return line;
    const theirs = Number(textOf(line.text).trim().split(/\s+/)[1] ?? 0);
    return theirs > 0 && theirs <= maxSize ? line : ours;
  });
}
