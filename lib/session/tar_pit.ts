// The tar pit: after so many RCPT commands of one session each further command waits, longer and longer. Pure arithmetic.
//
// It is for whoever sends one message to many strangers. The wait is no process and no thread, but it is part of the time
// that a session may take.

import type { Verb } from "../smtp/command.ts";

export interface TarPitOptions {
  /** The number of RCPT commands that wait for nothing; undefined: there is no pit. */
  readonly tarpitAfter: number | undefined;
  /** Milliseconds that the first command in the pit waits. */
  readonly tarpitDelay: number;
  /** How many times longer each command waits than the one before. */
  readonly tarpitMultiplier: number;
  /** Milliseconds that a command waits at most. */
  readonly tarpitMax: number;
}

export class TarPit {
  readonly #options: TarPitOptions;
  #recipients = 0;
  #waits = 0;

  constructor(options: TarPitOptions) {
    this.#options = options;
  }

  /** The number of RCPT commands that had not. */
  get recipients(): number {
    return this.#recipients;
  }

  /** The number of commands that had to wait. */
  get waits(): number {
    return this.#waits;
  }

  /** Milliseconds that the next command has to wait; `verb` is what it says. */
  delayOf(verb: Verb | "SPOILT" | "TOO-LONG"): number {
    const { tarpitAfter, tarpitDelay, tarpitMultiplier, tarpitMax } = this.#options;
    if (tarpitAfter === undefined) return 0;
    if (this.#recipients >= tarpitAfter) return Math.min(tarpitDelay * tarpitMultiplier ** this.#waits++, tarpitMax);
    if (verb === "RCPT") this.#recipients++;
    return 0;
  }
}
