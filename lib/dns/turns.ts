// Limits how many do something at a time. The others wait in order for their turn, for a limited time.

import type { Clock } from "../ports/runtime.ts";

export class Turns {
  readonly #clock: Clock;
  #free: number;
  // A set keeps the order, and a waiter can leave it.
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, count: number) {
    this.#clock = clock;
    this.#free = count;
  }

  /** Waits up to `limit` milliseconds for a turn. Returns the function that ends the turn; undefined if none came. */
  async take(limit: number): Promise<(() => void) | undefined> {
    if (this.#free > 0) this.#free--;
    else if (!await this.#wait(limit)) return undefined;
    return () => {
      const [next] = this.#waiting;
      if (next) next();
      else this.#free++;
    };
  }

  #wait(limit: number): Promise<boolean> {
    return new Promise((resolve) => {
      const leave = (hasTurn: boolean) => {
        this.#waiting.delete(take);
        cancel();
        resolve(hasTurn);
      };
      const take = () => leave(true);
      const cancel = this.#clock.after(limit, () => leave(false));
      this.#waiting.add(take);
    });
  }
}
