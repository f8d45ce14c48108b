// The output of a command that is not a server: results on standard output, and problems on standard error.
//
// Text from a stranger, or from a file that anybody may have written, has its control characters escaped. If the reader
// leaves, the command still finishes its work.

import { IoError } from "../../ports/io_error.ts";
import type { Conn, Stdio } from "../../ports/runtime.ts";
import { formatJson } from "../../quarantine/record.ts";
import { bytesOf } from "../../text/octets.ts";
import { escapeText } from "../../text/quoting.ts";

export class Report {
  /** Whether the output is JSON, an object on each line, in place of words. */
  readonly isJson: boolean;
  /** Whether people read it as it comes. */
  readonly isTerminal: boolean;
  readonly #stdio: Stdio;
  readonly #out: Conn;
  #isGone = false;
  #hasFailed = false;

  /** `out` is standard output. */
  constructor(stdio: Stdio, out: Conn, isJson: boolean) {
    this.isJson = isJson;
    this.isTerminal = !isJson && stdio.isOutTerminal();
    this.#stdio = stdio;
    this.#out = out;
  }

  /** Whether nobody reads the results any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** 1 after a problem, otherwise 0. */
  get status(): number {
    return this.#hasFailed ? 1 : 0;
  }

  /** Prints a result in words, or as JSON. `words` is one line, or several with LF between them. */
  async result(words: string, json: object): Promise<void> {
    const lines = this.isJson ? formatJson(json) : words.split("\n").map(escapeText).join("\n");
    await this.write(bytesOf(`${lines}\n`));
  }

  /** Prints octets as they are. */
  async write(octets: Uint8Array): Promise<void> {
    if (this.#isGone) return;
    try {
      await this.#out.write(octets);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.#isGone = true;
      // For example, a full disk. It is no failure if the reader has read enough, as head(1) does.
      if (error.kind !== "reset" && error.kind !== "closed") this.problem(`cannot write the results: ${error.message}`);
    }
  }

  /** Says that something was not done, or cannot be trusted. */
  problem(text: string): void {
    this.#hasFailed = true;
    this.note(text);
  }

  note(text: string): void {
    this.#stdio.writeErr(`postprox: ${escapeText(text)}\n`);
  }
}
