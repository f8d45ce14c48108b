// A bound on how many do something at a time; the others wait for their turn, in order, and not for ever.

import type { Clock } from "../ports/runtime.ts";

export class Turns {
  readonly #clock: Clock;
  #free: number;
  // A set keeps their order, and lets go of whoever waits no more.
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, count: number) {
    this.#clock = clock;
    this.#free = count;
  }

  /** Waits for a turn, for `limit` milliseconds; the result ends it, and is undefined when none came. */
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
