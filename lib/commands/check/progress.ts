// The bar that a terminal shows while messages are checked.

import { bytesOf } from "../../text/octets.ts";
import type { Report } from "../output/report.ts";
import { formatBar } from "./report.ts";

const WIDTH = 30;

export class Progress {
  readonly #report: Report;
  readonly #all: number;
  #done = 0;
  #isShown = false;

  /** `all` is the count of octets to be read; 0 if nobody knows. */
  constructor(report: Report, all: number) {
    this.#report = report;
    this.#all = all;
  }

  read(count: number): void {
    this.#done += count;
  }

  async show(messages: number): Promise<void> {
    if (!this.#report.isTerminal) return;
    this.#isShown = true;
    await this.#report.write(bytesOf(formatBar({ done: this.#done, all: this.#all, messages, width: WIDTH })));
  }

  /** Makes room for a line. */
  async clear(): Promise<void> {
    if (!this.#isShown) return;
    this.#isShown = false;
    // Goes back to the start of the line and erases the line.
    await this.#report.write(bytesOf("\r\x1b[K"));
  }
}
