// What each part of `postprox quarantine` works with, and what it says.
//
// Results go to standard output, and what went wrong to standard error. Whatever comes from a stranger, or from a file that
// anybody may have written, has its control characters escaped. A reader that has left is no reason to stop in the middle of
// a deed.

import { IoError } from "../../ports/io_error.ts";
import type { Conn, Files, Stdio } from "../../ports/runtime.ts";
import { formatJson } from "../../quarantine/record.ts";
import { bytesOf } from "../../text/octets.ts";
import { escapeText } from "../../text/quoting.ts";

export interface Place {
  readonly files: Files;
  readonly directory: string;
  readonly report: Report;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export class Report {
  /** JSON, an object on each line, in place of words. */
  readonly isJson: boolean;
  /** People read it as it comes. */
  readonly isTerminal: boolean;
  readonly #stdio: Stdio;
  readonly #out: Conn;
  #isGone = false;
  #hasFailed = false;

  constructor(stdio: Stdio, isJson: boolean) {
    this.isJson = isJson;
    this.isTerminal = !isJson && stdio.isOutTerminal();
    this.#stdio = stdio;
    this.#out = stdio.conn();
  }

  /** Whether nobody reads the results any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** 1 after a problem, else 0. */
  get status(): number {
    return this.#hasFailed ? 1 : 0;
  }

  /** A result in words, or as JSON. `words` is one line, or several with LF between them. */
  async result(words: string, json: object): Promise<void> {
    const lines = this.isJson ? formatJson(json) : words.split("\n").map(escapeText).join("\n");
    await this.write(bytesOf(`${lines}\n`));
  }

  /** Octets as they are. */
  async write(octets: Uint8Array): Promise<void> {
    if (this.#isGone) return;
    try {
      await this.#out.write(octets);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.#isGone = true;
      // A full disk, say. One that has read enough, such as head(1), is no failure.
      if (error.kind !== "reset" && error.kind !== "closed") this.problem(`cannot write the results: ${error.message}`);
    }
  }

  /** Something that was to be done was not, or cannot be trusted. */
  problem(text: string): void {
    this.#hasFailed = true;
    this.note(text);
  }

  note(text: string): void {
    this.#stdio.writeErr(`postprox: ${escapeText(text)}\n`);
  }
}
