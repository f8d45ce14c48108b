// The places that a log can be: syslog, standard error, a file; and what becomes of a line that its place does not take.
//
// Lines are sent in order, one after another, and a bounded number waits. A line that its place does not take goes to the
// first of the others that does, which hears why; when the place works again, it says how many lines it has missed. Where
// standard error is the client's socket, it is none of the places.

import type { File, Runtime } from "../ports/runtime.ts";
import { bytesOf } from "../text/octets.ts";
import { formatField, formatFields, isWanted, type Level, type Logger, SEVERITY, withWord } from "./logger.ts";
import { syslogSender } from "./syslog.ts";

export type LogTarget =
  | { readonly kind: "syslog"; readonly path: string }
  | { readonly kind: "stderr" }
  | { readonly kind: "file"; readonly path: string };

/** Where the C library's syslog(3) sends its lines. */
export const SYSLOG: LogTarget & { kind: "syslog" } = { kind: "syslog", path: "/dev/log" };

// What may wait for a slow disk or syslog daemon before lines are dropped.
const QUEUE_LIMIT = 10000;

// A syslog daemon that takes nothing must not keep the program from its end.
const FLUSH_LIMIT = 500;

export interface LoggerOptions {
  readonly verbosity: number;
  /** Where lines go that the log does not take, best first. A file is not opened before it is needed. */
  readonly others: readonly LogTarget[];
}

interface Place {
  /** Throws where the line is lost. */
  line(level: Level, line: string): Promise<void>;
  reopen(): Promise<void>;
}

/** Opens a log file now, so that one that cannot be written is known at the start: throws `IoError`. */
export async function openLogger(runtime: Runtime, target: LogTarget, options: LoggerOptions): Promise<Logger> {
  const place = await openPlace(runtime, target);
  const others: Place[] = [];
  for (const other of options.others) others.push(await openPlace(runtime, other));
  return new QueuedLogger(runtime, { place, others, what: nameOf(target), verbosity: options.verbosity });
}

interface Parts {
  readonly place: Place;
  readonly others: readonly Place[];
  /** The place, in words. */
  readonly what: string;
  readonly verbosity: number;
}

class QueuedLogger implements Logger {
  readonly verbosity: number;
  readonly #clock: Runtime["clock"];
  readonly #parts: Parts;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  // Lines that the place has missed, and why it did.
  #missed = 0;
  #why = "";
  #works = true;

  constructor({ clock }: Pick<Runtime, "clock">, parts: Parts) {
    this.verbosity = parts.verbosity;
    this.#clock = clock;
    this.#parts = parts;
  }

  write(level: Level, line: string): void {
    if (!isWanted(level, this.verbosity)) return;
    if (this.#waiting >= QUEUE_LIMIT) {
      this.#missed++;
      this.#why = "more lines came than it takes";
      return;
    }
    this.#waiting++;
    this.#then(async () => {
      await this.#write(level, line);
      this.#waiting--;
    });
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

  async #write(level: Level, line: string): Promise<void> {
    const { place, what } = this.#parts;
    try {
      await this.#sayMissed();
      await place.line(level, line);
      this.#works = true;
    } catch (error) {
      this.#why = messageOf(error);
      this.#missed++;
      if (this.#works) await this.#writeToOthers("error", `${what} takes no lines ${formatField("reason", this.#why)}`);
      this.#works = false;
      await this.#writeToOthers(level, line);
    }
  }

  // Not for each line while they are many, but when the crowd is over.
  async #sayMissed(): Promise<void> {
    if (this.#missed === 0 || this.#waiting > QUEUE_LIMIT / 2) return;
    const missed = this.#missed;
    const fields = formatFields({ lines: missed, reason: this.#why });
    await this.#parts.place.line("warning", `lines are missing here, for the log could not take them ${fields}`);
    this.#missed -= missed;
  }

  async #reopen(): Promise<void> {
    try {
      await this.#parts.place.reopen();
    } catch (error) {
      // What is written to a file that was moved away may not be seen: so both hear of it.
      const reason = formatField("reason", messageOf(error));
      const text = `${this.#parts.what} cannot be opened anew: lines go to the one that was open ${reason}`;
      await this.#parts.place.line("error", text).catch(() => {});
      await this.#writeToOthers("error", text);
    }
  }

  async #writeToOthers(level: Level, line: string): Promise<void> {
    for (const other of this.#parts.others) {
      try {
        return await other.line(level, line);
      } catch {
        // Then the next one.
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

async function openPlace(runtime: Runtime, target: LogTarget): Promise<Place> {
  if (target.kind === "file") return new LogFile(runtime, target.path, await runtime.files.openLog(target.path));
  const line = target.kind === "syslog" ? syslogSender(runtime, target.path) : errSender(runtime);
  return { line, reopen: async () => {} };
}

function errSender({ pid, stdio }: Pick<Runtime, "pid" | "stdio">): Place["line"] {
  const isJournal = stdio.isErrJournal();
  return (level, line) => {
    const text = isJournal ? withWord(level, line) : `${level}: ${line}`;
    return stdio.appendErr(bytesOf(`${journalPrefix(level, isJournal)}postprox[${pid}]: ${text}\n`));
  };
}

/** What systemd's journal takes for the level of a line on standard error (sd-daemon(3)); nothing elsewhere. */
export function journalPrefix(level: Level, isJournal: boolean): string {
  return isJournal ? `<${SEVERITY[level]}>` : "";
}

class LogFile implements Place {
  readonly #runtime: Runtime;
  readonly #path: string;
  #file: File;
  // After a full disk the file may end in the middle of a line.
  #isTorn = false;

  constructor(runtime: Runtime, path: string, file: File) {
    this.#runtime = runtime;
    this.#path = path;
    this.#file = file;
  }

  async line(level: Level, line: string): Promise<void> {
    const start = this.#isTorn ? "\n" : "";
    const text = `${start}${new Date().toISOString()} postprox[${this.#runtime.pid}]: ${level}: ${line}\n`;
    const { size } = await this.#file.stat();
    try {
      await this.#file.append(bytesOf(text));
      this.#isTorn = false;
    } catch (error) {
      // Others that write to it may make that a line too many, which is empty.
      if ((await this.#file.stat()).size !== size) this.#isTorn = true;
      throw error;
    }
  }

  async reopen(): Promise<void> {
    const reopened = await this.#runtime.files.openLog(this.#path);
    this.#file.close();
    this.#file = reopened;
    this.#isTorn = false;
  }
}
