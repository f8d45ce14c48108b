// Text that somebody else wrote, made safe for one line of a log or of an error message. Pure.

// Where a line can be torn, or made to look like another: C0 and C1 controls, DEL, the Unicode line ends, and what turns
// the direction of text round.
// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\\]/g;

/** `text` with everything escaped that could forge a line or move a terminal's cursor; backslash is the escape. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === "\\") return "\\\\";
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Text as it stands in an error message, bounded and without what could tear the line. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
