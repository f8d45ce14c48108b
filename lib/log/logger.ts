// Log lines: a `Logger` writes one line per event. events.ts says what is in it. A line is plain text, or JSON (json.ts).
//
// The levels are those of syslog. By default only notices, warnings and errors are written. Each -v adds a level. A logger
// never throws and nobody waits for it, so mail continues if the log fails.

import { escapeText } from "../text/quoting.ts";

/** Severities of syslog (RFC 5424 s.6.2.1). */
export const SEVERITY = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

export type Level = keyof typeof SEVERITY;

export interface Logger {
  readonly verbosity: number;
  /**
   * Hears of each event, also of one that gets no line, before the line is made. Use `addWitness` of events.ts, which knows
   * the events. It must not throw, and nobody waits for it.
   */
  witness?: ((name: string, facts: unknown, source: unknown) => void) | undefined;
  write(level: Level, entry: Entry): void;
  /** Opens a log file again, after a log rotation. */
  reopen(): void;
  /** Waits until all lines have left, but not for long. */
  flush(): Promise<void>;
}

/** The content of a line. */
export interface Entry {
  /** The id of the session. */
  readonly id?: string | undefined;
  /** The name of the event. JSON has it in place of words that are empty. */
  readonly name?: string;
  /** A few words of our own. Empty if the other parts say all. */
  readonly words: string;
  /** Free text. It may hold a stranger's octets. */
  readonly text?: string | undefined;
  readonly fields?: Fields;
  /** Each value is cut at so many characters. */
  readonly limit?: number | undefined;
}

/** Whether lines of `level` are wanted if -v was given `verbosity` times. */
export function isWanted(level: Level, verbosity: number): boolean {
  return level === "debug" ? verbosity >= 2 : level === "info" ? verbosity >= 1 : true;
}

/** Warnings and errors begin with their level, as Postfix's do. Other lines stay as they are. */
export function withWord(level: Level, line: string): string {
  return level === "error" || level === "warning" ? `${level}: ${line}` : line;
}

/** Long enough for any reply. More text of a stranger is of no use in a log. In characters. */
export const VALUE_LIMIT = 600;

/** The beginning of `text`. Dots show that there was more. */
export function cutValue(text: string, limit = VALUE_LIMIT): string {
  return text.length > limit ? `${text.slice(0, limit)}...` : text;
}

/** `key=value`. The value is in quotes if it holds a blank, an equals sign or a quote. */
export function formatField(key: string, value: string | number, limit = VALUE_LIMIT): string {
  const safe = escapeText(cutValue(String(value), limit));
  return /^[^\s"=]+$/.test(safe) ? `${key}=${safe}` : `${key}="${safe.replaceAll('"', '\\"')}"`;
}

export type Fields = Readonly<Record<string, string | number | undefined>>;

/** `key=value` fields joined by blanks. Undefined values are left out, and each value is cut at `limit` characters. */
export function formatFields(fields: Fields, limit?: number): string {
  return Object.entries(fields)
    .filter((field): field is [string, string | number] => field[1] !== undefined)
    .map(([key, value]) => formatField(key, value, limit))
    .join(" ");
}

/** The line of plain text for `entry`: id, words, free text, and then the fields. */
export function formatEntry({ id, words, text = "", fields = {}, limit }: Entry): string {
  const head = id === undefined ? "" : `${id}:`;
  return [head, words, escapeText(text), formatFields(fields, limit)].filter((part) => part !== "").join(" ");
}
