// One command line, understood as far as the proxy has to understand it.
//
// Total: every line is a command, an unknown verb is `OTHER`, and `raw` keeps the octets that go downstream. The verb
// is found as Postfix finds it (smtpd_token.c): the first word, in any case, with white space before and after.

import { isSpace, textOf } from "../text/octets.ts";

const VERBS = [
  "HELO",
  "EHLO",
  "LHLO",
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

// The longest word of a stranger that a log shows as a verb.
const SHOWN_LIMIT = 20;

/** The command in a line: `raw` as received, `bytes` without its line end. */
export function parseCommand(raw: Uint8Array, bytes: Uint8Array): Command {
  const { word, end } = firstWord(bytes);
  return { verb: KNOWN.has(word) ? word as Verb : "OTHER", raw, argument: textOf(bytes.subarray(end)) };
}

/** The verb that was said, for the log: in capitals and cut, but with a stranger's octets in it. */
export function shownVerb({ raw }: Command): string {
  const { word } = firstWord(raw);
  if (word === "") return "an empty line";
  return word.length > SHOWN_LIMIT ? `${word.slice(0, SHOWN_LIMIT)}...` : word;
}

// In capitals, and where it ends.
function firstWord(bytes: Uint8Array): { word: string; end: number } {
  let start = 0;
  while (start < bytes.length && isSpace(bytes[start]!)) start++;
  let end = start;
  while (end < bytes.length && !isSpace(bytes[end]!)) end++;
  // Of ASCII letters only: elsewhere there are letters whose upper case is one of these.
  const word = textOf(bytes.subarray(start, end)).replace(/[a-z]+/g, (letters) => letters.toUpperCase());
  return { word, end };
}
