// Sets of octets, and which octets are letters: only ASCII, as in the C locale of POSIX s.7.3.1.
//
// A set is 256 flags. The flag of LF is never 1, because lines have no LF. Everything here ignores case.

import { HT, isSpace, LF, SP } from "../text/octets.ts";

/** 256 flags, 1 for an octet that is in the set. */
export type OctetSet = Uint8Array;

export function toLower(octet: number): number {
  return isUpper(octet) ? octet + 0x20 : octet;
}

export function toUpper(octet: number): number {
  return isLower(octet) ? octet - 0x20 : octet;
}

/** Whether `\w` matches the octet. */
export function isWord(octet: number): boolean {
  return isAlpha(octet) || isDigit(octet) || octet === 0x5f;
}

/** The octets that pass `test` in upper or lower case. */
export function octetsThat(test: (octet: number) => boolean): OctetSet {
  const set = new Uint8Array(256);
  for (let octet = 0; octet < 256; octet++) {
    set[octet] = octet !== LF && (test(octet) || test(toLower(octet)) || test(toUpper(octet))) ? 1 : 0;
  }
  return set;
}

/** The twelve classes of `[[:name:]]` (POSIX s.9.3.5). */
export const CLASSES: ReadonlyMap<string, (octet: number) => boolean> = new Map([
  ["alnum", (octet: number) => isAlpha(octet) || isDigit(octet)],
  ["alpha", isAlpha],
  ["blank", (octet) => octet === SP || octet === HT],
  ["cntrl", (octet) => octet < 0x20 || octet === 0x7f],
  ["digit", isDigit],
  ["graph", (octet) => octet > 0x20 && octet < 0x7f],
  ["lower", isLower],
  ["print", (octet) => octet >= 0x20 && octet < 0x7f],
  ["punct", (octet) => octet > 0x20 && octet < 0x7f && !isAlpha(octet) && !isDigit(octet)],
  ["space", isSpace],
  ["upper", isUpper],
  ["xdigit", (octet) => isDigit(octet) || (toLower(octet) >= 0x61 && toLower(octet) <= 0x66)],
]);

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}

function isUpper(octet: number): boolean {
  return octet >= 0x41 && octet <= 0x5a;
}

function isLower(octet: number): boolean {
  return octet >= 0x61 && octet <= 0x7a;
}

function isAlpha(octet: number): boolean {
  return isUpper(octet) || isLower(octet);
}
