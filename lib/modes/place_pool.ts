// The places for clients, over all workers (--max-clients). The supervisor has this pool. Pure, but for one time limit.
//
// A worker gets places in blocks, so that most sessions cost no question. When the pool is empty, the workers give back
// what they do not use. Only when no worker has an unused place, a worker hears that there is none. A worker that does
// not answer does not hold up the others for long.

import type { Clock } from "../ports/runtime.ts";

/** A worker that does not answer a recall within this time has no unused places. In milliseconds. */
const RECALL_LIMIT = 1000;

// So many sessions of a worker cost one question, if there are places enough.
const LARGEST_BLOCK = 32;

// At first, so many workers like this one can get a block.
const BLOCKS_OF_A_WORKER = 8;

export interface PlacePorts<Worker> {
  readonly clock: Pick<Clock, "after">;
  /** Tells the worker that it has `count` more places. 0: there are none. */
  grant(worker: Worker, count: number): void;
  /** Asks the worker to give back what it does not use. It answers with `given`. */
  recall(worker: Worker): void;
}

export class PlacePool<Worker> {
  readonly #ports: PlacePorts<Worker>;
  #limit: number;
  /** The places that each worker has, used or not. */
  readonly #held = new Map<Worker, number>();
  /** How many places each worker wants, in the order in which they asked. */
  readonly #wanted = new Map<Worker, number>();
  /** The workers that have not answered the recall. Undefined if there is no recall. */
  #asked: Set<Worker> | undefined;
  /** The workers for which the recall is. */
  #asking = new Set<Worker>();
  #cancelRecall = () => {};

  constructor(limit: number, ports: PlacePorts<Worker>) {
    this.#limit = limit;
    this.#ports = ports;
  }

  /** How many places there are. If more are in use when it shrinks, those clients stay. */
  set limit(limit: number) {
    this.#limit = limit;
    this.#serve();
  }

  /** The places that no worker has. */
  get free(): number {
    let free = this.#limit;
    for (const count of this.#held.values()) free -= count;
    return free;
  }

  /** A worker has started. */
  join(worker: Worker): void {
    this.#held.set(worker, 0);
  }

  /** A worker has ended. Its places are free. */
  forget(worker: Worker): void {
    this.#held.delete(worker);
    this.#wanted.delete(worker);
    this.#asked?.delete(worker);
    this.#serve();
  }

  /** `count` clients of the worker wait. The worker asks again only after the answer. */
  want(worker: Worker, count: number): void {
    if (!this.#held.has(worker)) return;
    this.#wanted.set(worker, Math.max(1, count));
    this.#serve();
  }

  /** The answer of a worker to a recall. */
  given(worker: Worker, count: number): void {
    const held = this.#held.get(worker);
    if (held === undefined) return;
    this.#held.set(worker, Math.max(0, held - count));
    this.#asked?.delete(worker);
    this.#serve();
  }

  #serve(): void {
    for (const [worker, count] of this.#wanted) {
      const { free } = this;
      if (free <= 0) break;
      this.#answer(worker, Math.min(free, Math.max(count, this.#block())));
    }
    if (this.#wanted.size === 0) return this.#endRecall();
    if (this.#asked && this.#asked.size > 0) return;
    if (this.#asked) {
      // All have answered. A worker that asked during the recall gets one of its own, because places may be free now.
      for (const worker of this.#asking) if (this.#wanted.has(worker)) this.#answer(worker, 0);
      this.#endRecall();
    }
    if (this.#wanted.size > 0) this.#recall();
  }

  #answer(worker: Worker, count: number): void {
    this.#wanted.delete(worker);
    this.#held.set(worker, (this.#held.get(worker) ?? 0) + count);
    this.#ports.grant(worker, count);
  }

  #recall(): void {
    // A worker that wants places has none that it does not use.
    const others = [...this.#held].filter(([worker, count]) => count > 0 && !this.#wanted.has(worker));
    const asked = new Set(others.map(([worker]) => worker));
    this.#asked = asked;
    this.#asking = new Set(this.#wanted.keys());
    if (asked.size === 0) return this.#serve();
    this.#cancelRecall = this.#ports.clock.after(RECALL_LIMIT, () => {
      asked.clear();
      this.#serve();
    });
    for (const worker of asked) this.#ports.recall(worker);
  }

  #endRecall(): void {
    this.#cancelRecall();
    this.#asked = undefined;
    this.#asking.clear();
  }

  #block(): number {
    const share = Math.floor(this.#limit / (BLOCKS_OF_A_WORKER * Math.max(1, this.#held.size)));
    return Math.min(LARGEST_BLOCK, Math.max(1, share));
  }
}
