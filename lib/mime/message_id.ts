// The Message-ID of a message (RFC 5322 s.3.6.4), for the log. Postfix logs it too, and a sender can name it.
//
// Pure. The id is a stranger's text, so its length has a bound.

import { HT, LF, SP, textOf } from "../text/octets.ts";

// RFC 5322 s.2.1.1: a line has 998 octets at most. The log shows less.
const FIELD_LIMIT = 998;

// Nobody uses a longer field name. A longer one begins the body.
const NAME_LIMIT = 80;

const NAME = /^([!-9;-~]+)[ \t]*:/;

/**
 * The first Message-ID in the header of a message, unfolded; undefined if there is none. `beginning` is the first part
 * of the message, in the spool's form. The search ends where `beginning` ends.
 */
export function messageIdOf(beginning: Uint8Array): string | undefined {
  for (let at = 0; at < beginning.length;) {
    const name = NAME.exec(textOf(beginning.subarray(at, at + NAME_LIMIT)))?.[1];
    // An empty line, or another line that begins the body.
    if (name === undefined) return undefined;
    const end = endOfField(beginning, at);
    if (name.toLowerCase() === "message-id") {
      const field = textOf(beginning.subarray(at, Math.min(end, at + FIELD_LIMIT)));
      return field.slice(field.indexOf(":") + 1).replace(/\r*\n/g, "").trim() || undefined;
    }
    at = end;
  }
  return undefined;
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
