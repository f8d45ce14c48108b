// xtext, the quoting of RFC 3461 s.4, as XFORWARD uses it: "+" and two hexadecimal digits stand for one octet.
//
// Decoding is total: a "+" that no two digits follow stays as it is. The octets are read as UTF-8. NUL becomes "?",
// for neither an environment variable nor a log line can hold one.

import { bytesOf, NUL, textOf } from "./bytes.ts";

const QUESTION_MARK = 0x3f;

/** The text that `xtext` stands for. */
export function decodeXtext(xtext: string): string {
  if (!xtext.includes("+")) return xtext;
  const octets: number[] = [];
  for (let at = 0; at < xtext.length; at++) {
    const hex = xtext.slice(at + 1, at + 3);
    if (xtext[at] === "+" && /^[0-9A-Fa-f]{2}$/.test(hex)) {
      const octet = parseInt(hex, 16);
      octets.push(octet === NUL ? QUESTION_MARK : octet);
      at += 2;
    } else {
      const rest = xtext.indexOf("+", at + 1);
      const plain = xtext.slice(at, rest === -1 ? undefined : rest);
      octets.push(...bytesOf(plain));
      at += plain.length - 1;
    }
  }
  return textOf(Uint8Array.from(octets));
}
