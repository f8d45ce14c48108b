// The reply to EHLO, without the keywords that a content filter cannot honour.
//
// Taken out are extensions by which content would travel in another way than DATA, or be hidden from us, and XCLIENT,
// by which a stranger could borrow the trust that downstream has in our address. All else stays: a keyword that is
// lost bounces mail or breaks its signatures. SIZE (RFC 1870) is lowered to our own limit where there is one.

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

/** Whether the reply to EHLO offers the extension `keyword`, which is in capitals. */
export function offers(reply: Reply, keyword: string): boolean {
  return reply.code === 250 && textsOf(reply).slice(1).some((text) => keywordOf(text) === keyword);
}

// Of each line what stands behind the code, as octets: what is kept is kept as it came.
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
