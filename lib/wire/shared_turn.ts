// Lets all long work of the process share each turn of the event loop. So everything else gets its turn, too, even if
// many messages and rulings are at work.
//
// Work is done in slices of a few milliseconds at most, with a call of `share` after each. If time is left, the call
// costs nothing. Otherwise the work waits in line for a later turn.

import type { Clock, Turn } from "../ports/runtime.ts";

/** Milliseconds of work in one turn. A reply on its way through the proxy may have to wait for several turns. */
const TURN = 2;

export class SharedTurn implements Turn {
  readonly #clock: Clock;
  readonly #nextTurn: (go: () => void) => unknown;
  readonly #waiting: (() => void)[] = [];
  /** When work began in this turn of the event loop; undefined if none did. */
  #start: number | undefined;

  /** `nextTurn` calls `go` in the next turn of the event loop. */
  constructor(clock: Clock, nextTurn: (go: () => void) => unknown = (go) => clock.after(0, go)) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  async share(): Promise<void> {
    if (this.#start === undefined) this.#begin();
    else if (this.#clock.now() - this.#start >= TURN) await new Promise<void>((go) => this.#waiting.push(go));
  }

  #begin(): void {
    this.#start = this.#clock.now();
    this.#nextTurn(() => {
      this.#start = undefined;
      const next = this.#waiting.shift();
      if (!next) return;
      this.#begin();
      next();
    });
  }
}
