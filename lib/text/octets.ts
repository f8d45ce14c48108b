// Octets of the SMTP dialogue, and the way from octets to text and back.
//
// The program handles commands and replies as octets. It makes text of them only to look at them, to log them, or to
// hand them to a filter. `textOf` never throws: octets that are not UTF-8 become U+FFFD. `bytesOf` writes UTF-8.

export const NUL = 0x00;
export const HT = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const DOT = 0x2e;

export const CRLF: Uint8Array = Uint8Array.of(CR, LF);

// String.fromCharCode takes the octets as arguments. A few thousand are safe on every runtime's stack.
const ARGUMENTS = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of `bytes`, read as UTF-8 (RFC 6531). ASCII is a part of it. */
export function textOf(bytes: Uint8Array): string {
  if (bytes.length > ARGUMENTS || !isAscii(bytes)) return decoder.decode(bytes);
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at]! > 0x7f) return false;
  }
  return true;
}

/** The octets of `text` in UTF-8. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** The first octets of `octets`, at most `limit`. They are UTF-8, and no character is cut in two. */
export function cutUtf8(octets: Uint8Array, limit: number): Uint8Array {
  let end = Math.min(octets.length, limit);
  // Each octet of a character after its first has the form 10xxxxxx.
  while (end < octets.length && (octets[end]! & 0xc0) === 0x80) end--;
  return octets.subarray(0, end);
}

/** Whether C's isspace() calls the octet white space. Postfix skips such octets around a verb. */
export function isSpace(octet: number): boolean {
  return octet === SP || (octet >= HT && octet <= CR);
}

/** One array with the octets of all `parts`, in order. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
