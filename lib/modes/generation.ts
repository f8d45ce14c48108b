// What a supervisor knows of its workers: the generation that was started with the same plan, the place of each worker in it,
// and the worker that has the place now. supervisor.ts says what happens to them.

import type { ToWorker } from "./worker_link.ts";

/** What the workers of a generation start with. */
export interface Plan {
  readonly workers: number;
  readonly maxClients: number;
  readonly maxFilters: number;
  /** The time that a worker has for its sessions when it ends. In milliseconds. */
  readonly drainTimeout: number;
  /** The files that options name. Each character is an octet. */
  readonly files: Readonly<Record<string, string>>;
}

/** A process that was started. */
export interface WorkerHandle {
  readonly pid: number;
  /** Sends it a word. It is no error if it has ended. */
  say(word: ToWorker): void;
  /** SIGKILL. It is no error if it has ended. */
  kill(): void;
}

/** The workers that were started with one plan. */
export class Generation {
  readonly plan: Plan;
  readonly slots: readonly Slot[];
  failures = 0;
  readonly #outcome = Promise.withResolvers<string | undefined>();

  constructor(plan: Plan) {
    this.plan = plan;
    this.slots = Array.from({ length: plan.workers }, () => new Slot(this));
  }

  /** Undefined when all workers are ready at the same time. Otherwise why they are not. */
  get outcome(): Promise<string | undefined> {
    return this.#outcome.promise;
  }

  noteReady(): void {
    if (this.slots.every(({ worker }) => worker?.isReady)) this.#outcome.resolve(undefined);
  }

  fail(why: string): void {
    this.#outcome.resolve(why);
  }
}

/** The place of a worker, which has one worker after another. */
export class Slot {
  readonly generation: Generation;
  worker: Worker | undefined;
  /** How many workers have ended by themselves, one after another. */
  failures = 0;
  cancelPause = () => {};

  constructor(generation: Generation) {
    this.generation = generation;
  }
}

export class Worker {
  readonly slot: Slot;
  /** Cancels the limit of its start. */
  cancelStart = () => {};
  /** Cancel the limits of its end. */
  readonly cancelEnds: (() => void)[] = [];
  readyAt: number | undefined;
  /** The time of the first question that it has not answered. */
  askedAt: number | undefined;
  /** Why it ends, if that is known. */
  why: string | undefined;
  /** Nobody waits for its end to replace it. */
  isGoing = false;
  isOver = false;
  #handle: WorkerHandle | undefined;
  /** Words for a process that is being started. */
  readonly #waiting: ToWorker[] = [];
  #isKilled = false;

  constructor(slot: Slot) {
    this.slot = slot;
  }

  get isReady(): boolean {
    return this.readyAt !== undefined && !this.isOver;
  }

  get pid(): number | undefined {
    return this.#handle?.pid;
  }

  /** The process was started. */
  take(handle: WorkerHandle): void {
    this.#handle = handle;
    for (const word of this.#waiting.splice(0)) handle.say(word);
    if (this.#isKilled) handle.kill();
  }

  say(word: ToWorker): void {
    if (this.#handle) this.#handle.say(word);
    else this.#waiting.push(word);
  }

  kill(): void {
    this.#isKilled = true;
    this.#handle?.kill();
  }
}
