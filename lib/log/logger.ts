// Where log lines go: a `Logger` writes one line per event, each already formatted by events.ts.
//
// Levels are syslog's. By default only notices, warnings and errors are written; each -v adds a level. A logger never throws and
// never waits: mail goes on when the log cannot.

/** Severities of syslog (RFC 5424 s.6.2.1). */
export const SEVERITY = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

export type Level = keyof typeof SEVERITY;

export interface Logger {
  readonly verbosity: number;
  write(level: Level, line: string): void;
  /** Opens a log file anew, after a log rotation. */
  reopen(): void;
  /** Waits until all that was written has left. */
  flush(): Promise<void>;
}

/** Whether lines of `level` are wanted when -v was given `verbosity` times. */
export function isWanted(level: Level, verbosity: number): boolean {
  return level === "debug" ? verbosity >= 2 : level === "info" ? verbosity >= 1 : true;
}

/** `line` with the level in front where it is a warning or an error, as Postfix has it; else the text alone. */
export function withWord(level: Level, line: string): string {
  return level === "error" || level === "warning" ? `${level}: ${line}` : line;
}

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

// Long enough for any reply; what a stranger sends beyond it is of no use in a log.
const VALUE_LIMIT = 600;

/** `key=value`, the value in quotes where it holds a blank, an equals sign or a quote. */
export function formatField(key: string, value: string | number, limit = VALUE_LIMIT): string {
  const text = String(value);
  const safe = escapeText(text.slice(0, limit)) + (text.length > limit ? "..." : "");
  return /^[^\s"=]+$/.test(safe) ? `${key}=${safe}` : `${key}="${safe.replaceAll('"', '\\"')}"`;
}

export type Fields = Readonly<Record<string, string | number | undefined>>;

/** `key=value` fields joined by blanks; undefined values are left out. */
export function formatFields(fields: Fields): string {
  return Object.entries(fields)
    .filter((field): field is [string, string | number] => field[1] !== undefined)
    .map(([key, value]) => formatField(key, value))
    .join(" ");
}
