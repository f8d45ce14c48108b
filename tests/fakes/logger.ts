// A log that a test can read: every line at any level, as `level: line`.

import { type Entry, formatEntry, type Level, type Logger } from "../../lib/log/logger.ts";

export class FakeLogger implements Logger {
  readonly verbosity: number;
  witness?: Logger["witness"];
  readonly lines: string[] = [];
  readonly entries: Entry[] = [];
  reopened = 0;

  constructor(verbosity = 2) {
    this.verbosity = verbosity;
  }

  write(level: Level, entry: Entry): void {
    this.entries.push(entry);
    this.lines.push(`${level}: ${formatEntry(entry)}`);
  }

  reopen(): void {
    this.reopened++;
  }

  async flush(): Promise<void> {}

  /** All lines that hold `words`. */
  find(words: string): string[] {
    return this.lines.filter((line) => line.includes(words));
  }
}
