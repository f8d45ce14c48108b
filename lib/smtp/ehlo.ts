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
  const [greeting, ...keywords] = textsOf(reply);
  const kept = keywords.filter((text) => !HIDDEN.has(keywordOf(text)));
  const sized = maxSize === undefined ? kept : lowerSize(kept, maxSize);
  if (sized.length === keywords.length && sized.every((text, at) => text === keywords[at])) return reply;
  const texts = [greeting!, ...sized];
  const last = texts.length - 1;
  return { code: 250, bytes: concat(texts.flatMap((text, at) => [at < last ? MORE : LAST, text, CRLF])) };
}

/** Whether the reply to EHLO offers the extension `keyword`. The keyword must be in capitals. */
export function offers(reply: Reply, keyword: string): boolean {
  return reply.code === 250 && textsOf(reply).slice(1).some((text) => keywordOf(text) === keyword);
}

// The text of each line after the code, as octets. So the lines that stay do not change.
function textsOf({ bytes }: Reply): Uint8Array[] {
  const texts: Uint8Array[] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(LF, start);
    texts.push(bytes.subarray(start + MORE.length, end + 1 - CRLF.length));
  }
  return texts;
}

function keywordOf(text: Uint8Array): string {
  return /^[^\s=]*/.exec(textOf(text).trimStart())![0].toUpperCase();
}

// RFC 1870 s.3: SIZE without a number, or with 0, means that the server has no fixed limit.
function lowerSize(texts: readonly Uint8Array[], maxSize: number): Uint8Array[] {
  const ours = bytesOf(`SIZE ${maxSize}`);
  if (!texts.some((text) => keywordOf(text) === "SIZE")) return [...texts, ours];
  return texts.map((text) => {
    if (keywordOf(text) !== "SIZE") return text;
    const theirs = Number(textOf(text).trim().split(/\s+/)[1] ?? 0);
    return theirs > 0 && theirs <= maxSize ? text : ours;
  });
}
