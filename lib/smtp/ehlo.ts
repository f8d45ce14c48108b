// The reply to EHLO, without the keywords that a content filter cannot honour.
//
// Taken out are extensions by which content would travel in another way than DATA, or be hidden from us, and XCLIENT,
// by which a stranger could borrow the trust that downstream has in our address. All else stays: a keyword that is
// lost bounces mail or breaks its signatures. SIZE (RFC 1870) is lowered to our own limit where there is one.

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

/** The EHLO reply for our client. `maxSize` is our own limit in octets. A reply other than 250 stays as it is. */
export function filterEhlo(reply: Reply, maxSize?: number): Reply {
  if (reply.code !== 250) return reply;
  const [greeting = "", ...keywords] = latin1Of(reply.bytes).slice(0, -2).split("\r\n").map((line) => line.slice(4));
  const kept = keywords.filter((line) => !HIDDEN.has(keywordOf(line)));
  const sized = maxSize === undefined ? kept : lowerSize(kept, maxSize);
  if (sized.length === keywords.length && sized.every((line, at) => line === keywords[at])) return reply;
  const lines = [greeting, ...sized];
  const text = lines.map((line, at) => `250${at < lines.length - 1 ? "-" : " "}${line}\r\n`).join("");
  return { code: 250, bytes: Uint8Array.from(text, (octet) => octet.charCodeAt(0)) };
}

// One character for one octet, so that what is kept is kept octet by octet.
function latin1Of(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => String.fromCharCode(octet)).join("");
}

function keywordOf(line: string): string {
  return line.trim().split(/[\s=]/, 1)[0]!.toUpperCase();
}

// RFC 1870 s.3: SIZE without a number, or with 0, means that the server has no fixed limit.
function lowerSize(lines: readonly string[], maxSize: number): string[] {
  if (!lines.some((line) => keywordOf(line) === "SIZE")) return [...lines, `SIZE ${maxSize}`];
  return lines.map((line) => {
    if (keywordOf(line) !== "SIZE") return line;
    const theirs = Number(line.trim().split(/\s+/)[1] ?? 0);
    return theirs > 0 && theirs <= maxSize ? line : `SIZE ${maxSize}`;
  });
}
