// A turn of the event loop, which all long work of the process shares: whatever number of messages and rulings works on,
// between two turns everything else has its own.
//
// Work is done in slices of a few milliseconds at most, with a call of `share` between two of them. That costs nothing
// while there is time left; then the work waits in line for a later turn.

import type { Clock } from "../ports/runtime.ts";

/** Milliseconds of work in one turn. A reply on its way through the proxy may wait for several turns. */
const TURN = 3;

export class SharedTurn {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  /** When work began since everything else had its turn; undefined when none did. */
  #start: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async share(): Promise<void> {
    if (this.#start === undefined) this.#begin();
    else if (this.#clock.now() - this.#start >= TURN) await new Promise<void>((go) => this.#waiting.push(go));
  }

  #begin(): void {
    this.#start = this.#clock.now();
    this.#clock.after(0, () => {
      this.#start = undefined;
      const next = this.#waiting.shift();
      if (!next) return;
      this.#begin();
      next();
    });
  }
}
