// xtext, the quoting of RFC 3461 s.4, as XFORWARD uses it: "+" and two hexadecimal digits stand for one octet.
//
// Decoding never fails: a value with a "+" and no two digits after it is no xtext. It stays as it is, as in Postfix.
// The octets are read as UTF-8. An encoded NUL becomes "?", because an environment variable or a log line cannot hold
// one.

import { bytesOf, textOf } from "../text/octets.ts";

const QUESTION_MARK = 0x3f;

/** The text that `xtext` stands for. */
export function decodeXtext(xtext: string): string {
  if (!xtext.includes("+") || /\+(?![0-9A-Fa-f]{2})/.test(xtext)) return xtext;
  const octets: number[] = [];
  for (const [part] of xtext.matchAll(/\+..|[^+]+/g)) {
    if (!part.startsWith("+")) octets.push(...bytesOf(part));
    else octets.push(parseInt(part.slice(1), 16) || QUESTION_MARK);
  }
  return textOf(Uint8Array.from(octets));
}
