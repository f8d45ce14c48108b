// One command line, understood as far as the proxy has to understand it.
//
// Total: every line is a command, an unknown verb is `OTHER`, and `raw` keeps the octets that go downstream. The verb
// is found as Postfix finds it (smtpd_token.c), in any case and with white space before and after; its quoting is
// honoured too, so that `"XCLIENT"` or `<BDAT>` is no way around a refusal that knows only the plain spelling.

import { isSpace, textOf } from "./bytes.ts";

const VERBS = [
  "HELO",
  "EHLO",
  "MAIL",
  "RCPT",
  "DATA",
  "RSET",
  "QUIT",
  "AUTH",
  "XFORWARD",
  "STARTTLS",
  "BDAT",
  "BURL",
  "XCLIENT",
  "XEXCH50",
] as const;

export type Verb = typeof VERBS[number] | "OTHER";

export interface Command {
  readonly verb: Verb;
  /** As received, with its CRLF. */
  readonly raw: Uint8Array;
  /** What follows the verb; read as UTF-8. */
  readonly argument: string;
}

const KNOWN: ReadonlySet<string> = new Set(VERBS);

/** The command in a line: `raw` as received, `bytes` without its line end. */
export function parseCommand(raw: Uint8Array, bytes: Uint8Array): Command {
  const { word, end } = firstToken(bytes);
  const verb = word.toUpperCase();
  return { verb: KNOWN.has(verb) ? verb as Verb : "OTHER", raw, argument: textOf(bytes.subarray(end)) };
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const LEFT_ANGLE = 0x3c;
const RIGHT_ANGLE = 0x3e;

// Postfix's first token: quotes and angle brackets are taken off, and a backslash inside them.
function firstToken(bytes: Uint8Array): { word: string; end: number } {
  let at = 0;
  while (at < bytes.length && isSpace(bytes[at]!)) at++;
  let word = "";
  while (at < bytes.length && !isSpace(bytes[at]!)) {
    const octet = bytes[at++]!;
    if (octet === QUOTE || octet === LEFT_ANGLE) {
      const closing = octet === QUOTE ? QUOTE : RIGHT_ANGLE;
      while (at < bytes.length && bytes[at] !== closing) {
        if (bytes[at] === BACKSLASH) at++;
        if (at < bytes.length) word += String.fromCharCode(bytes[at++]!);
      }
      at++;
    } else {
      word += String.fromCharCode(octet);
    }
  }
  return { word, end: Math.min(at, bytes.length) };
}
