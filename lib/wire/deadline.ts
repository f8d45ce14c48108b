// A deadline that is set and lifted many times a second and hardly ever reached.
//
// One timer serves them all: it is set for the first deadline and looks, when it fires, whether the current one has come;
// if not, it sleeps again until then. So to start and to stop a deadline costs two assignments.

import type { Clock } from "../runtime/ports.ts";

export class Deadline {
  readonly #clock: Clock;
  #due = Infinity;
  #onLate: (() => void) | undefined;
  #wakes = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onLate` once, `patience` milliseconds from now, unless `stop` or another `start` comes first. */
  start(patience: number, onLate: () => void): void {
    this.#due = this.#clock.now() + patience;
    this.#onLate = onLate;
    if (this.#due >= this.#wakes) return;
    this.#cancel?.();
    this.#sleep(Math.max(0, patience));
  }

  stop(): void {
    this.#due = Infinity;
    this.#onLate = undefined;
  }

  /** Stops for good and gives the timer back. */
  close(): void {
    this.stop();
    this.#cancel?.();
    this.#wakes = Infinity;
  }

  #sleep(delay: number): void {
    this.#wakes = this.#clock.now() + delay;
    this.#cancel = this.#clock.after(delay, () => {
      this.#wakes = Infinity;
      const left = this.#due - this.#clock.now();
      if (left === Infinity) return;
      if (left > 0) return this.#sleep(left);
      const onLate = this.#onLate;
      this.stop();
      onLate?.();
    });
  }
}
