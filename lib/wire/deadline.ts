// A deadline that is set and lifted many times a second and hardly ever reached.
//
// One timer serves them all: it is set for the first deadline and looks, when it fires, whether the current one has come;
// if not, it sleeps again until then. So to start and to stop a deadline costs two assignments.

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

  /** Calls `onLate` once, when the clock shows `due`, unless `stop` or another `start` comes first. */
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

  /** Stops for good and gives the timer back; a later `start` does nothing. */
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
      if (this.#due === Infinity) return;
      if (this.#due > this.#clock.now()) return this.#sleep();
      const onLate = this.#onLate;
      this.stop();
      onLate?.();
    });
  }
}
