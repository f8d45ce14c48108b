// A deadline for code that sets and lifts it many times a second and hardly ever reaches it.
//
// One timer serves all deadlines of a connection. It is set for the first one. When it fires, it checks the current
// deadline, and sleeps again if that has not come. So it costs two assignments to start or stop a deadline.

import type { Clock } from "../ports/runtime.ts";

export class Deadline {
  readonly #clock: Clock;
  #closed = false;
  #due = Infinity;
  #onLate: (() => void) | undefined;
  #wakes = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onLate` once, when the clock shows `due`. `stop` or another `start` prevents that. */
  start(due: number, onLate: () => void): void {
    if (this.#closed) return;
    this.#due = due;
    this.#onLate = onLate;
    if (due >= this.#wakes) return;
    this.#cancel?.();
    this.#sleep();
  }

  stop(): void {
    this.#due = Infinity;
    this.#onLate = undefined;
  }

  /** Stops for good and gives the timer back. A later `start` does nothing. */
  close(): void {
    this.#closed = true;
    this.stop();
    this.#cancel?.();
    this.#wakes = Infinity;
  }

  #sleep(): void {
    this.#wakes = this.#due;
    this.#cancel = this.#clock.after(Math.max(0, this.#due - this.#clock.now()), () => {
      this.#wakes = Infinity;
      this.#cancel = undefined;
      if (this.#due === Infinity) return;
      if (this.#due > this.#clock.now()) return this.#sleep();
      const onLate = this.#onLate;
      this.stop();
      onLate?.();
    });
  }
}
