// Keeps workers alive: starts them, replaces those that end or hang, renews all of them, and ends them.
//
// A worker is a process with this same program. It accepts connections on a socket that it inherits. How a process is
// started and heard is not known here, so a test can play the workers.
//
// - A worker that dies of a signal is replaced at once. A worker that ends by itself again and again, or that fails before
//   it is ready, is replaced after a pause, which grows to 30 s.
// - A worker that does not answer for 30 s is killed and replaced.
// - New workers take over when all of them are ready. Then the old ones finish their sessions and end. If the new ones
//   cannot start, the old ones go on.
// - The places for clients and the turns of filters are shared out over all workers, those that end as well.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import type { LogSettings } from "../log/sinks.ts";
import type { Clock, ProcessEnd } from "../ports/runtime.ts";
import { Generation, type Plan, type Slot, Worker, type WorkerHandle } from "./generation.ts";
import { PlacePool } from "./place_pool.ts";
import { TurnQueue } from "./turn_queue.ts";
import type { ToSupervisor } from "./worker_link.ts";

export interface WorkerEvents {
  /** The worker has said this. */
  said(word: ToSupervisor): void;
  /** Called once, and nothing is said after it. */
  ended(end: ProcessEnd): void;
}

export interface SupervisorParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How the workers log. Only a start reads it, so that one log has one format. */
  readonly log: LogSettings;
  /** Starts a process. If it cannot, the promise ends with an error whose message says why. */
  readonly start: (events: WorkerEvents) => Promise<WorkerHandle>;
  /** Whether somebody wants to know what the workers count. */
  readonly counts?: boolean;
  /** The worker with this process id has counted this so far. */
  readonly onSnapshot?: (worker: number, snapshot: unknown) => void;
  /** That worker has ended. */
  readonly onEnd?: (worker: number) => void;
}

// A worker that has not answered for so long is killed. In milliseconds, as all times here.
const SILENCE_LIMIT = 30_000;
const PING_EVERY = 2_000;

// If our own timer is so late, we have not run, and the silence of the workers says nothing.
const OWN_DELAY_LIMIT = 2 * PING_EVERY;

// A worker may have to read large lists before it is ready, on a busy machine.
const START_LIMIT = 60_000;

// Somebody may send SIGTERM to all our processes. Our own then comes within this time, and no worker is replaced.
const LEAVE_DELAY = 100;

// The system sends these to a program that fails.
const OWN_SIGNALS = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"];

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

// A worker that was ready for so long does not keep ending by itself.
const STABLE_TIME = 60_000;

// A worker that hangs does not hold up a reload for longer.
const TAKE_OVER_LIMIT = 1_000;

/** After --drain-timeout, a session gets 421, and a message whose final dot is out has some more time (listen.ts). */
export const LAST_WORDS = 15_000;
/** A worker that is stopped at once. */
const STOP_LIMIT = LAST_WORDS;

// While new workers start, so many of them may end before we give up.
const FAILURES_ALLOWED = 3;

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #places: PlacePool<Worker>;
  readonly #turns: TurnQueue<Worker>;
  /** All processes that have not ended, old ones too. */
  readonly #workers = new Set<Worker>();
  readonly #over = Promise.withResolvers<void>();
  /** The questions to workers that have no answer yet, by their ids. */
  readonly #questions = new Map<number, { readonly worker: Worker; readonly answered: () => void }>();
  #generation: Generation | undefined;
  #rising: Generation | undefined;
  #end: "no" | "drain" | "stop" = "no";
  #lastTick: number;
  #lastSnapshot = 0;
  #cancelTick = () => {};

  constructor(parts: SupervisorParts, { maxClients, maxFilters }: Pick<Plan, "maxClients" | "maxFilters">) {
    this.#parts = parts;
    this.#places = new PlacePool(maxClients, {
      clock: parts.clock,
      grant: (worker, count) => worker.say({ say: "places", count }),
      recall: (worker) => worker.say({ say: "recall" }),
    });
    this.#turns = new TurnQueue(maxFilters, (worker, id) => worker.say({ say: "turn", id }));
    this.#lastTick = parts.clock.now();
    this.#tick();
  }

  /** Ends when `drain` or `stop` was called and all workers have ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** The process ids of the workers that accept connections, or will. */
  get pids(): readonly number[] {
    return [...this.#workers].filter(({ isGoing }) => !isGoing).flatMap(({ pid }) => pid ?? []);
  }

  /**
   * Starts workers as `plan` says. When all are ready, the workers until now accept no more and finish their sessions.
   * Returns why it cannot; then the workers until now go on. Returns undefined also if `drain` or `stop` was called
   * meanwhile.
   */
  async renew(plan: Plan): Promise<string | undefined> {
    // SIGHUP may come while the first workers start.
    while (this.#rising) await this.#rising.outcome;
    if (this.#end !== "no") return undefined;
    const next = new Generation(plan);
    this.#rising = next;
    for (const slot of next.slots) this.#fill(slot);
    const why = await next.outcome;
    this.#rising = undefined;
    if (this.#end !== "no") return undefined;
    if (why !== undefined) {
      this.#retire(next);
      return why;
    }
    const before = this.#generation;
    this.#generation = next;
    this.#places.limit = plan.maxClients;
    this.#turns.count = plan.maxFilters;
    if (!before) return undefined;
    const old = before.slots.flatMap(({ worker }) => worker?.isReady ? worker : []);
    this.#retire(before);
    // A worker hears its words in their order. So one that answers this accepts no more.
    await Promise.all(old.map((worker) => this.#askSnapshot(worker, TAKE_OVER_LIMIT)));
    return undefined;
  }

  /** The workers open their log files again. */
  reopen(): void {
    for (const worker of this.#workers) worker.say({ say: "reopen" });
  }

  /** All workers finish their sessions and end. */
  drain(): void {
    if (this.#end !== "no") return;
    this.#end = "drain";
    for (const generation of [this.#generation, this.#rising]) if (generation) this.#retire(generation);
    this.#lookForEnd();
  }

  /** All workers end their sessions at once. */
  stop(): void {
    if (this.#end === "stop") return;
    this.drain();
    this.#end = "stop";
    for (const worker of this.#workers) this.#let(worker, "stop");
  }

  /** Asks all workers what they have counted, and waits for `onSnapshot` of each, but at most `limit` milliseconds. */
  async askSnapshots(limit: number): Promise<void> {
    const ready = [...this.#workers].filter(({ isReady }) => isReady);
    await Promise.all(ready.map((worker) => this.#askSnapshot(worker, limit)));
  }

  #askSnapshot(worker: Worker, limit: number): Promise<void> {
    const id = ++this.#lastSnapshot;
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(limit, () => answered());
      const answered = () => {
        this.#questions.delete(id);
        cancel();
        resolve();
      };
      this.#questions.set(id, { worker, answered });
      worker.say({ say: "snapshot", id });
    });
  }

  // --- one worker

  #fill(slot: Slot): void {
    const { clock } = this.#parts;
    const worker = new Worker(slot);
    slot.worker = worker;
    this.#workers.add(worker);
    this.#places.join(worker);
    const late = `it was not ready within ${START_LIMIT / 1000} s`;
    worker.cancelStart = clock.after(START_LIMIT, () => this.#give(worker, late));
    this.#parts.start({
      said: (word) => this.#heard(worker, word),
      ended: (end) => this.#ended(worker, wordsOf(end), "signal" in end ? end.signal : undefined),
    }).then((handle) => {
      // The files come first, before words that waited for the process.
      const { log, counts = false } = this.#parts;
      handle.say({ say: "files", files: slot.generation.plan.files, log, counts });
      worker.take(handle);
    }, (error) => {
      worker.why ??= error instanceof Error ? error.message : String(error);
      this.#ended(worker, "it was not started");
    });
  }

  // Kills a worker. Its end then says this reason.
  #give(worker: Worker, why: string): void {
    worker.why ??= why;
    worker.kill();
  }

  #heard(worker: Worker, word: ToSupervisor): void {
    worker.askedAt = undefined;
    switch (word.say) {
      case "ready":
        worker.readyAt = this.#parts.clock.now();
        worker.cancelStart();
        worker.slot.generation.noteReady();
        break;
      case "failed":
        worker.why = worker.why === undefined ? word.why : `${worker.why}; ${word.why}`;
        break;
      case "leaving":
        this.#left(worker, word.signal);
        break;
      case "snapshot":
        if (worker.pid !== undefined) this.#parts.onSnapshot?.(worker.pid, word.snapshot);
        this.#questions.get(word.id)?.answered();
        break;
      case "wantTurn":
        this.#turns.want(worker, word.id);
        break;
      case "endTurn":
        this.#turns.end(worker, word.id);
        break;
      case "wantPlaces":
        this.#places.want(worker, word.count);
        break;
      case "givePlaces":
        this.#places.given(worker, word.count);
        break;
      case "pong":
        break;
    }
  }

  // It got a signal, but not from us. Others need not wait until it has ended.
  #left(worker: Worker, signal: string): void {
    if (worker.isGoing) return;
    this.#limitEnd(worker, worker.slot.generation.plan.drainTimeout + LAST_WORDS);
    worker.isGoing = true;
    this.#parts.clock.after(LEAVE_DELAY, () => this.#replace(worker, `it ends after ${signal}`, 0));
  }

  #ended(worker: Worker, how: string, signal?: string): void {
    if (worker.isOver) return;
    worker.isOver = true;
    worker.cancelStart();
    for (const cancel of worker.cancelEnds) cancel();
    this.#workers.delete(worker);
    this.#places.forget(worker);
    this.#turns.forget(worker);
    for (const question of this.#questions.values()) if (question.worker === worker) question.answered();
    if (worker.pid !== undefined) this.#parts.onEnd?.(worker.pid);
    this.#lookForEnd();
    if (worker.isGoing) return;
    worker.isGoing = true;
    const { slot, readyAt, why } = worker;
    const now = this.#parts.clock.now();
    if (readyAt !== undefined && now - readyAt >= STABLE_TIME) slot.failures = 0;
    // A signal from somebody else is no failure.
    const isFailure = signal === undefined || (readyAt === undefined && OWN_SIGNALS.includes(signal));
    if (isFailure) slot.failures++;
    const words = why ?? how;
    if (slot.generation === this.#rising) {
      const { generation } = slot;
      generation.failures++;
      if (signal === undefined || generation.failures > FAILURES_ALLOWED) return generation.fail(words);
    }
    this.#replace(worker, words, isFailure ? pauseAfter(slot.failures) : 0);
  }

  #replace(worker: Worker, how: string, pause: number): void {
    const { slot, pid } = worker;
    const isCurrent = slot.generation === this.#generation || slot.generation === this.#rising;
    if (this.#end !== "no" || !isCurrent || slot.worker !== worker) return;
    tell(this.#parts.logger, "workerReplaced", { worker: pid, how, pause });
    slot.worker = undefined;
    if (pause === 0) this.#fill(slot);
    else slot.cancelPause = this.#parts.clock.after(pause, () => this.#fill(slot));
  }

  // --- the end

  #retire(generation: Generation): void {
    generation.fail("the service ends");
    for (const slot of generation.slots) {
      slot.cancelPause();
      if (slot.worker) this.#let(slot.worker, "drain");
      slot.worker = undefined;
    }
  }

  #let(worker: Worker, end: "drain" | "stop"): void {
    if (worker.isOver) return;
    worker.isGoing = true;
    worker.say({ say: end });
    this.#limitEnd(worker, end === "drain" ? worker.slot.generation.plan.drainTimeout + LAST_WORDS : STOP_LIMIT);
  }

  #limitEnd(worker: Worker, limit: number): void {
    worker.cancelEnds.push(this.#parts.clock.after(limit, () => worker.kill()));
  }

  #lookForEnd(): void {
    if (this.#end === "no" || this.#workers.size > 0) return;
    this.#cancelTick();
    this.#over.resolve();
  }

  // --- the heartbeat

  #tick(): void {
    const now = this.#parts.clock.now();
    const wasAsleep = now - this.#lastTick > PING_EVERY + OWN_DELAY_LIMIT;
    this.#lastTick = now;
    for (const worker of this.#workers) {
      if (wasAsleep && worker.askedAt !== undefined) worker.askedAt = now;
      if (worker.askedAt === undefined) {
        worker.askedAt = now;
        worker.say({ say: "ping" });
      } else if (now - worker.askedAt >= SILENCE_LIMIT) {
        this.#give(worker, `it did not answer for ${SILENCE_LIMIT / 1000} s and was killed`);
      }
    }
    this.#cancelTick = this.#parts.clock.after(PING_EVERY, () => this.#tick());
  }
}

// The exit statuses of env(1) if it cannot run the program.
const NO_PROGRAM = [126, 127];

function wordsOf(end: ProcessEnd): string {
  if ("exit" in end && NO_PROGRAM.includes(end.exit)) return `the program could not be run (status ${end.exit})`;
  return "signal" in end ? `it was killed by ${end.signal}` : `it ended by itself with status ${end.exit}`;
}

/** The pause before a worker is replaced, after `failures` in a row. */
function pauseAfter(failures: number): number {
  return failures <= 1 ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 2));
}
