// A clock that does not wait: its time moves when a test says so, and timers run in the order in which they are due.

import type { Clock } from "../../lib/ports/runtime.ts";
import { settled } from "./settled.ts";

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  after(delay: number, callback: () => void): () => void {
    const timer = { due: this.#now + delay, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that are still set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer is due; undefined where none is set. */
  get nextDue(): number | undefined {
    let next: number | undefined;
    for (const { due } of this.#timers) if (next === undefined || due < next) next = due;
    return next;
  }

  /** Lets `milliseconds` pass; what each timer sets off has come to rest before the next one runs. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    await settled();
    for (let timer = this.#next(until); timer; timer = this.#next(until)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.due);
      timer.callback();
      await settled();
    }
    this.#now = until;
  }

  #next(until: number): Timer | undefined {
    const due = Array.from(this.#timers).filter((timer) => timer.due <= until);
    return due.sort((one, other) => one.due - other.due)[0];
  }
}
