// Makes foreign text safe for one line of a log or of an error message. Pure.

// These characters can break a line or make it look like another one: C0 and C1 controls, DEL, the Unicode line ends,
// and characters that change the direction of text. The backslash is here because it is the escape.
// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\\]/g;

/** Escapes everything in `text` that could forge a line or move a terminal's cursor. The escape is a backslash. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === "\\") return "\\\\";
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Quotes text for an error message. The result is at most about 80 characters of one line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
