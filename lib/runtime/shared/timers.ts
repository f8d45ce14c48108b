// Timers for a clock, on one alarm of the runtime.
//
// A proxy sets many timers and cancels nearly all of them. Here each costs an entry in a set. The runtime's own timer
// is one alarm for the earliest of them. So it does not matter how much an alarm costs, or that it cannot be cancelled.
// An alarm that comes too early finds nothing due and sets the next one.

interface Entry {
  readonly due: number;
  readonly callback: () => void;
}

export class Timers {
  readonly #now: () => number;
  readonly #alarm: (delay: number, ring: () => void) => void;
  readonly #entries = new Set<Entry>();
  // The times of the alarms that are set, the earliest last. A new alarm always comes before all others.
  readonly #alarms: number[] = [];

  /** `alarm` must call `ring` once after `delay` milliseconds. */
  constructor(now: () => number, alarm: (delay: number, ring: () => void) => void) {
    this.#now = now;
    this.#alarm = alarm;
  }

  /** Runs `callback` once after `delay` milliseconds. The result cancels it. */
  after(delay: number, callback: () => void): () => void {
    const entry = { due: this.#now() + delay, callback };
    this.#entries.add(entry);
    this.#ringAt(entry.due);
    return () => this.#entries.delete(entry);
  }

  #ringAt(due: number): void {
    if (due >= (this.#alarms.at(-1) ?? Infinity)) return;
    this.#alarms.push(due);
    this.#alarm(Math.max(0, Math.ceil(due - this.#now())), () => this.#ring());
  }

  #ring(): void {
    this.#alarms.pop();
    const now = this.#now();
    // A copy of all entries would be garbage of thousands of octets for each ring.
    const over: Entry[] = [];
    for (const entry of this.#entries) if (entry.due <= now) over.push(entry);
    try {
      for (const entry of over) {
        // One callback may cancel another.
        if (this.#entries.delete(entry)) entry.callback();
      }
    } finally {
      let next = Infinity;
      for (const entry of this.#entries) next = Math.min(next, entry.due);
      if (next < Infinity) this.#ringAt(next);
    }
  }
}
