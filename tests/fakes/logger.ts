// A log that a test can read: every line at any level, as `level: line`.

import type { Logger } from "../../lib/log/logger.ts";

export class FakeLogger implements Logger {
  readonly verbosity: number;
  readonly lines: string[] = [];
  reopened = 0;

  constructor(verbosity = 2) {
    this.verbosity = verbosity;
  }

  write(level: string, line: string): void {
    this.lines.push(`${level}: ${line}`);
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
