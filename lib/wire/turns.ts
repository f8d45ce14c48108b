// Limits how many do something at a time. The others wait for their turn, in the order in which they came.

import type { Clock } from "../ports/runtime.ts";

/** Turns of checks that start programs. */
export interface FilterTurns {
  /** How many have a turn. */
  readonly running: number;
  /** How many wait for one. */
  readonly waiting: number;
  /** How many may have a turn at a time. */
  count: number;
  /**
   * Waits up to `limit` milliseconds for a turn, and no longer than until `signal` is aborted. Returns the function that
   * ends the turn; undefined if none came.
   */
  take(limit: number, signal?: AbortSignal): Promise<(() => void) | undefined>;
}

export class Turns implements FilterTurns {
  readonly #clock: Clock;
  #count: number;
  #running = 0;
  // A set keeps the order, and a waiter can leave it.
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, count: number) {
    this.#clock = clock;
    this.#count = count;
  }

  /** How many have a turn. */
  get running(): number {
    return this.#running;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many may have a turn at a time. If there are more when it changes, they go on. */
  get count(): number {
    return this.#count;
  }

  set count(count: number) {
    this.#count = count;
    this.#admit();
  }

  /**
   * Waits up to `limit` milliseconds for a turn, and no longer than until `signal` is aborted. Returns the function that
   * ends the turn; undefined if none came.
   */
  async take(limit: number, signal?: AbortSignal): Promise<(() => void) | undefined> {
    if (signal?.aborted) return undefined;
    if (this.#running < this.#count) this.#running++;
    else if (!await this.#wait(limit, signal)) return undefined;
    return () => {
      this.#running--;
      this.#admit();
    };
  }

  #admit(): void {
    for (const take of this.#waiting) {
      if (this.#running >= this.#count) return;
      this.#running++;
      take();
    }
  }

  #wait(limit: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const leave = (hasTurn: boolean) => {
        this.#waiting.delete(take);
        signal?.removeEventListener("abort", giveUp);
        cancel();
        resolve(hasTurn);
      };
      const take = () => leave(true);
      const giveUp = () => leave(false);
      const cancel = this.#clock.after(limit, giveUp);
      signal?.addEventListener("abort", giveUp);
      this.#waiting.add(take);
    });
  }
}
