// Log lines as JSON: one object on a line, with the fields of the plain line. Pure.
//
//     time      where the place of the log has no time of its own: RFC 3339, UTC
//     level     error, warning, notice, info or debug
//     pid       the process
//     session   the id of the session; absent outside of one
//     event     the words of the line; the name of the event if it has no words
//     text      the free text of a notice
//
// Then come the fields. Numbers stay numbers. Text is as it was: JSON has its own escapes. A value is cut where the plain
// line cuts it. A line holds no character that can break it or that a terminal obeys.

import { bytesOf } from "../text/octets.ts";
import { type Entry, type Level, VALUE_LIMIT } from "./logger.ts";

/** The beginning of a line. */
export interface JsonHead {
  readonly time?: string;
  readonly level: Level;
  readonly pid: number;
}

// JSON leaves these as they are: DEL, C1 controls, the Unicode line ends, and characters that change the direction of text.
const UNSAFE = /[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const MARK = "...";

/** The object of `entry`, without what `withHead` adds. */
export function formatJson({ id, name = "", words, text, fields = {}, limit = VALUE_LIMIT }: Entry): string {
  const cut = Object.entries(fields).map((
    [key, value],
  ) => [key, typeof value === "string" ? cutText(value, limit) : value]);
  return stringify({
    session: id === "-" ? undefined : id,
    event: words === "" ? name : words,
    text: text?.toWellFormed(),
    ...Object.fromEntries(cut),
  });
}

/** `line` of `formatJson` with `head` in front. */
export function withHead(head: JsonHead, line: string): string {
  return `${JSON.stringify(head).slice(0, -1)},${line.slice(1)}`;
}

/** `line` with its longest texts cut, so that it has at most `limit` octets and is still an object. */
export function shortenJson(line: string, limit: number): string {
  let shorter = line;
  for (let excess = bytesOf(line).length - limit; excess > 0; excess = bytesOf(shorter).length - limit) {
    const values: Record<string, unknown> = JSON.parse(shorter);
    const texts = Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === "string");
    const [key, text] = texts.reduce((longest, next) => next[1].length > longest[1].length ? next : longest);
    const kept = text.endsWith(MARK) ? text.slice(0, -MARK.length) : text;
    if (kept === "") break;
    // A character of the line may be six octets of JSON. So this cuts too little, and never much too much.
    shorter = stringify({ ...values, [key]: cutText(kept, kept.length - Math.max(1, Math.ceil(excess / 6))) });
  }
  return shorter;
}

function cutText(text: string, limit: number): string {
  return (text.length > limit ? `${text.slice(0, limit)}${MARK}` : text).toWellFormed();
}

function stringify(values: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(values).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
