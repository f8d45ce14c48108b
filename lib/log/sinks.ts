// The places of a log: syslog, standard error, a file.
//
// Lines are written in order, one after another, and a bounded number waits. If the place fails, the line goes to the first
// of the other places that works, together with the reason. When the place works again, its log says how many lines are
// missing. If standard error is the client's socket, it is not one of the places.
//
// Where systemd's journal reads the place, it gets the fields of each line too (journal.ts).
//
// All lines have the same format, plain text or JSON. It is loaded only if it is wanted (json.ts).

import { IoError } from "../ports/io_error.ts";
import type { File, Runtime } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { type Entry, formatEntry, isWanted, type Level, type Logger, SEVERITY, withWord } from "./logger.ts";
import { isJournalHere, isJournalsSyslog, journalFields, journalSender } from "./journal.ts";
import { syslogSender } from "./syslog.ts";

export type LogTarget =
  | { readonly kind: "syslog"; readonly path: string }
  | { readonly kind: "stderr" }
  | { readonly kind: "file"; readonly path: string };

/** The formats of lines. */
export const LOG_FORMATS = ["plain", "json"] as const;

export type LogFormat = typeof LOG_FORMATS[number];

/** The C library's syslog(3) sends its lines there. */
export const SYSLOG: LogTarget & { kind: "syslog" } = { kind: "syslog", path: "/dev/log" };

// So many lines may wait for a slow disk or syslog daemon. More lines are dropped.
const QUEUE_LIMIT = 10000;

// A line of the journal may be longer than one of syslog. In octets.
const JOURNAL_LINE_LIMIT = 32768;

// A syslog daemon that takes nothing must not stop the program from ending. In milliseconds.
const FLUSH_LIMIT = 500;

/** What the administrator says of the log. It survives JSON. */
export interface LogSettings {
  readonly target: LogTarget;
  readonly format: LogFormat;
  readonly verbosity: number;
}

export interface LoggerOptions extends Omit<LogSettings, "target"> {
  /** The other places, for lines that the log does not take. The best is the first. */
  readonly others: readonly LogTarget[];
}

/** A line that waits. It has a bound. */
interface Line {
  /** The format has made it of an entry. */
  readonly text: string;
  /** The fields for the journal. Empty if it is in no place. */
  readonly fields: string;
}

interface Place {
  /** Writes a line. Throws if the line is lost. */
  line(level: Level, line: Line): Promise<void>;
  reopen(): Promise<void>;
  /** Whether it takes the fields for the journal. */
  readonly takesFields?: true;
}

/** How lines are written. */
interface Format {
  /** The part of a line that is the same in all places. It has a bound. */
  line(entry: Entry): string;
  /** The whole line in a file, without its end. */
  inFile(level: Level, line: string): string;
  /** The whole line on standard error, without its end. */
  onErr(level: Level, line: string, isJournal: boolean): string;
  /** The text of the line in syslog. It should have at most `room` octets. */
  inSyslog(level: Level, line: string, room: number): string;
}

function plainFormat(pid: number): Format {
  return {
    line: formatEntry,
    inFile: (level, line) => `${new Date().toISOString()} postprox[${pid}]: ${level}: ${line}`,
    onErr: (level, line, isJournal) => `postprox[${pid}]: ${isJournal ? withWord(level, line) : `${level}: ${line}`}`,
    inSyslog: withWord,
  };
}

async function jsonFormat(pid: number): Promise<Format> {
  const { formatJson, shortenJson, withHead } = await import("./json.ts");
  const timed = (level: Level, line: string) => withHead({ time: new Date().toISOString(), level, pid }, line);
  return {
    line: formatJson,
    inFile: timed,
    onErr: (level, line, isJournal) => isJournal ? withHead({ level, pid }, line) : timed(level, line),
    inSyslog: (level, line, room) => shortenJson(withHead({ level, pid }, line), room),
  };
}

/** Opens a log file now, so that the program does not start without it. Throws `IoError`. */
export async function openLogger(runtime: Runtime, target: LogTarget, options: LoggerOptions): Promise<Logger> {
  const { pid } = runtime;
  const format = options.format === "json" ? await jsonFormat(pid) : plainFormat(pid);
  const place = await openPlace(runtime, target, format);
  const others: Place[] = [];
  for (const other of options.others) others.push(await openPlace(runtime, other, format));
  return new QueuedLogger(runtime, { place, others, format, what: nameOf(target), verbosity: options.verbosity });
}

interface Parts {
  readonly place: Place;
  readonly others: readonly Place[];
  readonly format: Format;
  /** The place, in words. */
  readonly what: string;
  readonly verbosity: number;
}

class QueuedLogger implements Logger {
  readonly verbosity: number;
  witness?: Logger["witness"];
  readonly #clock: Runtime["clock"];
  readonly #parts: Parts;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  // The number of lines that the place has missed, and the last reason.
  #missed = 0;
  #why = "";
  #works = true;

  constructor({ clock }: Pick<Runtime, "clock">, parts: Parts) {
    this.verbosity = parts.verbosity;
    this.#clock = clock;
    this.#parts = parts;
  }

  write(level: Level, entry: Entry): void {
    if (!isWanted(level, this.verbosity)) return;
    if (this.#waiting >= QUEUE_LIMIT) {
      this.#missed++;
      this.#why = "too many lines at the same time";
      return;
    }
    this.#waiting++;
    const line = this.#lineOf(entry);
    this.#then(async () => {
      await this.#write(level, line);
      this.#waiting--;
    });
  }

  // A line that waits has a bound. Its entry has none.
  #lineOf(entry: Entry): Line {
    const { format, place, others } = this.#parts;
    const wantsFields = [place, ...others].some(({ takesFields }) => takesFields);
    return { text: format.line(entry), fields: wantsFields ? journalFields(entry) : "" };
  }

  reopen(): void {
    this.#then(() => this.#reopen());
  }

  flush(): Promise<void> {
    return Promise.race([this.#tail, new Promise<void>((resolve) => this.#clock.after(FLUSH_LIMIT, resolve))]);
  }

  #then(task: () => Promise<void>): void {
    this.#tail = this.#tail.then(task);
  }

  async #write(level: Level, line: Line): Promise<void> {
    const { place, what } = this.#parts;
    try {
      await this.#sayMissed();
      await place.line(level, line);
      this.#works = true;
    } catch (error) {
      this.#why = messageOf(error);
      this.#missed++;
      if (this.#works) await this.#tellOthers({ words: `${what} takes no lines`, fields: { reason: this.#why } });
      this.#works = false;
      await this.#writeToOthers(level, line);
    }
  }

  // Waits until the rush is over, so that there is one such line and not many.
  async #sayMissed(): Promise<void> {
    if (this.#missed === 0 || this.#waiting > QUEUE_LIMIT / 2) return;
    const missed = this.#missed;
    const { place } = this.#parts;
    const words = "lines are missing here because the log could not take them";
    await place.line("warning", this.#lineOf({ words, fields: { lines: missed, reason: this.#why } }));
    this.#missed -= missed;
  }

  async #reopen(): Promise<void> {
    try {
      await this.#parts.place.reopen();
    } catch (error) {
      // Perhaps nobody reads the old file, because it was moved away. So both places get this line.
      const { place, what } = this.#parts;
      const words = `${what} cannot be opened again: lines still go to the old one`;
      const entry = { words, fields: { reason: messageOf(error) } };
      await place.line("error", this.#lineOf(entry)).catch(() => {});
      await this.#tellOthers(entry);
    }
  }

  async #tellOthers(entry: Entry): Promise<void> {
    await this.#writeToOthers("error", this.#lineOf(entry));
  }

  async #writeToOthers(level: Level, line: Line): Promise<void> {
    for (const other of this.#parts.others) {
      try {
        return await other.line(level, line);
      } catch {
        // The next one may work.
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function nameOf(target: LogTarget): string {
  return target.kind === "file" ? "the log file" : target.kind === "syslog" ? "syslog" : "standard error";
}

async function openPlace(runtime: Runtime, target: LogTarget, format: Format): Promise<Place> {
  if (target.kind === "file") {
    const file = await runtime.files.openLog(target.path);
    return new LogFile(runtime.files, file, { path: target.path, format });
  }
  const { files, stdio } = runtime;
  const line = target.kind === "syslog"
    ? syslogSender(runtime, target.path, format.inSyslog)
    : errSender(stdio, format);
  const plain: Place = { line: (level, { text }) => line(level, text), reopen: async () => {} };
  const isJournal = target.kind === "syslog" ? isJournalsSyslog(files, target.path) : isErrInJournal(runtime);
  if (!await isJournal) return plain;
  // The words stay what they are without fields.
  const message = (level: Level, text: string) =>
    target.kind === "syslog" ? format.inSyslog(level, text, JOURNAL_LINE_LIMIT) : format.onErr(level, text, true);
  const send = journalSender(runtime);
  return {
    ...plain,
    takesFields: true,
    line: async (level, line) => {
      try {
        await send(level, message(level, line.text), line.fields);
      } catch (error) {
        if (!(error instanceof IoError)) throw error;
        await plain.line(level, line);
      }
    },
  };
}

async function isErrInJournal({ stdio, files }: Runtime): Promise<boolean> {
  return stdio.isErrJournal() && await isJournalHere(files);
}

function errSender(stdio: Runtime["stdio"], format: Format): (level: Level, line: string) => Promise<void> {
  const isJournal = stdio.isErrJournal();
  return (level, line) =>
    stdio.appendErr(bytesOf(`${journalPrefix(level, isJournal)}${format.onErr(level, line, isJournal)}\n`));
}

/** The level of a line for systemd's journal (sd-daemon(3)); nothing if standard error is not the journal. */
export function journalPrefix(level: Level, isJournal: boolean): string {
  return isJournal ? `<${SEVERITY[level]}>` : "";
}

class LogFile implements Place {
  readonly #files: Runtime["files"];
  readonly #path: string;
  readonly #format: Format;
  #file: File;
  // If the disk was full, the file may end in the middle of a line.
  #isTorn = false;

  constructor(files: Runtime["files"], file: File, { path, format }: { path: string; format: Format }) {
    this.#files = files;
    this.#path = path;
    this.#format = format;
    this.#file = file;
  }

  async line(level: Level, { text: line }: Line): Promise<void> {
    const start = this.#isTorn ? "\n" : "";
    const text = `${start}${this.#format.inFile(level, line)}\n`;
    const { size } = await this.#file.stat();
    try {
      await this.#file.append(bytesOf(text));
      this.#isTorn = false;
    } catch (error) {
      // Another process may have written to the file. Then there is an empty line, which does no harm.
      if ((await this.#file.stat()).size !== size) this.#isTorn = true;
      throw error;
    }
  }

  async reopen(): Promise<void> {
    const reopened = await this.#files.openLog(this.#path);
    this.#file.close();
    this.#file = reopened;
    this.#isTorn = false;
  }
}
