// The characters of a URL and of the text around it, for `url_finder.ts`. Pure. They are numbers, for speed.

export const QUOTE = 0x22;
export const PERCENT = 0x25;
export const AMPERSAND = 0x26;
export const APOSTROPHE = 0x27;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const LESS = 0x3c;
export const EQUALS = 0x3d;
export const GREATER = 0x3e;
export const OPENING_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;

// The meaning of a character after the slashes of a URL.

/**
 * Part of a name, of an address, or of an encoded character: letters, digits, `.`, `-`, `_`, `%`, and all but ASCII.
 */
export const HOST = 0;
/** The path, the query or the fragment begins. */
export const END = 1;
/** Plain text has no such character in a URL; an attribute may. */
export const PLAIN_END = 2;
/** Everything before it was a user. */
export const AT = 3;
/** The host ends, unless this belongs to a user. */
export const SOFT = 4;

const CLASSES = Uint8Array.from({ length: 256 }, (_, octet) => {
  const character = String.fromCharCode(octet);
  if (octet >= 0x80 || /[A-Za-z0-9._%-]/.test(character)) return HOST;
  if (/[/\\?#]/.test(character)) return END;
  if (octet <= 0x20 || octet === 0x7f || /[<>"]/.test(character)) return PLAIN_END;
  return character === "@" ? AT : SOFT;
});

export function classOf(octet: number): number {
  return CLASSES[octet]!;
}

const BORING = Uint8Array.from(
  { length: 256 },
  (_, octet) => /[hfw&%"'<=\0]/i.test(String.fromCharCode(octet)) ? 0 : 1,
);

/** Whether the octet can begin no scheme, no value, no character reference and no encoded character. */
export function isBoring(octet: number): boolean {
  return BORING[octet] === 1;
}

const IN_WORD = Uint8Array.from(
  { length: 256 },
  (_, octet) => /[A-Za-z0-9@.-]/.test(String.fromCharCode(octet)) ? 1 : 0,
);

/** Whether a `www` directly after it is part of the same word. */
export function isInWord(octet: number): boolean {
  return IN_WORD[octet] === 1;
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const small = octet | 0x20;
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : -1;
}
