// One command line, understood as far as the proxy needs.
//
// `parseCommand` is total: every line is a command, and an unknown verb is `OTHER`. `raw` keeps the octets that go
// downstream. It finds the verb as Postfix does (smtpd_token.c): the first word, in any case, with white space around
// it.

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
  /** The text after the verb, read as UTF-8. */
  readonly argument: string;
}

const KNOWN: ReadonlySet<string> = new Set(VERBS);

// The log shows at most this many characters of a verb that a stranger sent.
const SHOWN_LIMIT = 20;

/** The command in a line. `raw` is the line as received, `bytes` is it without its line end. */
export function parseCommand(raw: Uint8Array, bytes: Uint8Array): Command {
  const text = textOf(bytes);
  const { word, end } = firstWord(text);
  return { verb: KNOWN.has(word) ? word as Verb : "OTHER", raw, argument: text.slice(end) };
}

/** The verb for the log, in capitals and cut. It may hold any octets of a stranger. */
export function shownVerb({ raw }: Command): string {
  const { word } = firstWord(textOf(raw));
  if (word === "") return "an empty line";
  return word.length > SHOWN_LIMIT ? `${word.slice(0, SHOWN_LIMIT)}...` : word;
}

// The first word in capitals, and where it ends. White space is ASCII, so text and octets have the same words.
function firstWord(text: string): { word: string; end: number } {
  let start = 0;
  while (start < text.length && isSpace(text.charCodeAt(start))) start++;
  let end = start;
  while (end < text.length && !isSpace(text.charCodeAt(end))) end++;
  const word = text.slice(start, end);
  if (KNOWN.has(word)) return { word, end };
  // Only ASCII letters: some other letters have one of these as their upper case.
  return { word: word.replace(/[a-z]+/g, (letters) => letters.toUpperCase()), end };
}
