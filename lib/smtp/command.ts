// One command line, understood as far as the proxy has to understand it.
//
// Total: every line is a command, an unknown verb is `OTHER`, and `raw` keeps the octets that go downstream. The verb
// is found as Postfix finds it (smtpd_token.c): the first word, in any case, with white space before and after.

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
  let start = 0;
  while (start < bytes.length && isSpace(bytes[start]!)) start++;
  let end = start;
  while (end < bytes.length && !isSpace(bytes[end]!)) end++;
  // Of ASCII letters only: elsewhere there are letters whose upper case is one of these.
  const verb = textOf(bytes.subarray(start, end)).replace(/[a-z]+/g, (letters) => letters.toUpperCase());
  return { verb: KNOWN.has(verb) ? verb as Verb : "OTHER", raw, argument: textOf(bytes.subarray(end)) };
}
