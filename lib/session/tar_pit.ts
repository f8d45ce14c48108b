// The tar pit: after so many RCPT commands of a session, each further command waits longer than the one before. It is pure
// arithmetic.
//
// It slows down clients that send one message to many strangers. The wait costs no process and no thread. It counts as time
// of the session.

import type { Verb } from "../smtp/command.ts";

export interface TarPitOptions {
  /** The number of RCPT commands that do not wait. 0: there is no tar pit. */
  readonly tarpitAfter: number;
  /** Milliseconds that the first command in the pit waits. */
  readonly tarpitDelay: number;
  /** Each command waits this many times longer than the one before. */
  readonly tarpitMultiplier: number;
  /** No command waits longer than this. In milliseconds. */
  readonly tarpitMax: number;
  /** Whether a client with this address never waits. Absent: each client may have to. */
  readonly isSpared?: (address: string | undefined) => boolean;
}

export class TarPit {
  readonly #options: TarPitOptions;
  #recipients = 0;
  #waits = 0;

  constructor(options: TarPitOptions) {
    this.#options = options;
  }

  /** The number of RCPT commands that did not wait. */
  get recipients(): number {
    return this.#recipients;
  }

  /** The number of commands that waited. */
  get waits(): number {
    return this.#waits;
  }

  /** Milliseconds that the next command, with this `verb`, has to wait. XFORWARD says that the client has `address`. */
  delayOf(verb: Verb | "SPOILT" | "TOO-LONG", address?: string): number {
    const { tarpitAfter, tarpitDelay, tarpitMultiplier, tarpitMax, isSpared } = this.#options;
    if (tarpitAfter === 0 || isSpared?.(address)) return 0;
    if (this.#recipients >= tarpitAfter) return Math.min(tarpitDelay * tarpitMultiplier ** this.#waits++, tarpitMax);
    if (verb === "RCPT") this.#recipients++;
    return 0;
  }
}
