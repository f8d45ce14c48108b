// The Message-ID of a message (RFC 5322 s.3.6.4), for the log. Postfix logs it too, and a sender can name it.
//
// Pure. The id is a stranger's text, so its length has a bound.

import { HT, LF, SP, textOf } from "../text/octets.ts";

// RFC 5322 s.2.1.1: a line has 998 octets at most. The log shows less.
const FIELD_LIMIT = 998;

// Nobody uses a longer field name. A longer one, with blanks and colon, begins the body.
const NAME_LIMIT = 80;

const COLON = 0x3a;

const WANTED = "message-id";

/**
 * The first Message-ID in the header of a message, unfolded; undefined if there is none. `beginning` is the first part
 * of the message, in the spool's form. The search ends where `beginning` ends.
 */
export function messageIdOf(beginning: Uint8Array): string | undefined {
  for (let at = 0; at < beginning.length;) {
    const nameEnd = endOfName(beginning, at);
    // An empty line, or another line that begins the body.
    if (nameEnd === undefined) return undefined;
    const end = endOfField(beginning, at);
    // A header may have 20,000 fields. So there is no text of each name.
    if (nameEnd - at === WANTED.length && textOf(beginning.subarray(at, nameEnd)).toLowerCase() === WANTED) {
      const field = textOf(beginning.subarray(at, Math.min(end, at + FIELD_LIMIT)));
      return field.slice(field.indexOf(":") + 1).replace(/\r*\n/g, "").trim() || undefined;
    }
    at = end;
  }
  return undefined;
}

// The end of the field name that begins at `start`; undefined if there is none.
function endOfName(octets: Uint8Array, start: number): number | undefined {
  const limit = Math.min(octets.length, start + NAME_LIMIT);
  let end = start;
  for (; end < limit; end++) {
    const octet = octets[end]!;
    if (octet <= SP || octet >= 0x7f || octet === COLON) break;
  }
  let colon = end;
  while (colon < limit && (octets[colon] === SP || octets[colon] === HT)) colon++;
  return end > start && colon < limit && octets[colon] === COLON ? end : undefined;
}

// A line that begins with a blank belongs to the field before it (RFC 5322 s.2.2.3).
function endOfField(octets: Uint8Array, start: number): number {
  for (let at = start;;) {
    const end = octets.indexOf(LF, at) + 1;
    if (end === 0) return octets.length;
    if (octets[end] !== SP && octets[end] !== HT) return end;
    at = end;
  }
}
