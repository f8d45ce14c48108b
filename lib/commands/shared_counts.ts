// Counts for the pages of --metrics and for the service manager, in a service with workers. Each worker counts what happens in
// it, and the supervisor adds that up. Loaded only if somebody wants to see the numbers.
//
// The supervisor asks all workers when somebody wants to see the numbers. A worker also tells its own when they have changed,
// at most ten times a second, and when it ends. So a worker that is killed takes with it only what happened in its last moment, and the counters
// of the service never go back.

import type { Logger } from "../log/logger.ts";
import type { Meter } from "../metrics/meter.ts";
import { receivedSnapshot } from "../metrics/received.ts";
import type { Snapshot } from "../metrics/snapshot.ts";
import { WorkersSum } from "../metrics/sum.ts";
import type { ListenState } from "../modes/listen.ts";
import type { Plan } from "../modes/generation.ts";
import type { Supervisor } from "../modes/supervisor.ts";
import type { WorkerSide } from "../modes/worker.ts";
import type { Clock } from "../ports/runtime.ts";
import { fullWords, namesOfChecks, startMeter } from "./counts.ts";
import type { Setup, StatusSource } from "./status.ts";

// A worker tells its numbers at once when they have changed, and then again after this pause. In milliseconds.
const TELL_PAUSE = 100;

// A worker that hangs delays a page by so much. Its last numbers are shown then. In milliseconds.
const ASK_LIMIT = 1_000;

/** Counts in a worker from now on. The result takes the state of listen mode when there is one. */
export function countInWorker(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  worker: WorkerSide,
): (state: Pick<ListenState, "size">) => void {
  let sessions: Pick<ListenState, "size"> = { size: 0 };
  let isDue = false;
  let isTelling = false;
  const meter = startMeter(logger);
  const { turns } = worker;
  meter.gauges = {
    sessionsOpen: () => sessions.size,
    filters: () => ({ running: turns.running, waiting: turns.waiting, count: undefined }),
  };
  const pause = (time: number) => new Promise<void>((resolve) => clock.after(time, resolve));
  const tell = async () => {
    isTelling = true;
    // What happens in the same turn of the event loop comes along.
    await pause(0);
    while (isDue) {
      isDue = false;
      worker.saySnapshot();
      // If the supervisor takes nothing, only one of them waits.
      await worker.flush();
      await pause(TELL_PAUSE);
    }
    isTelling = false;
  };
  meter.onCount = () => {
    isDue = true;
    if (!isTelling) void tell();
  };
  worker.snapshot = () => meter.snapshot();
  return (state) => void (sessions = state);
}

/** How the service stands. It changes. */
export interface ServiceState {
  readonly plan: Plan;
  readonly setup: Setup;
  readonly phase: "starting" | "serving" | "ending";
}

/** The counts of the whole service. */
export class ServiceCounts implements StatusSource {
  readonly #state: () => ServiceState;
  readonly #meter: Meter;
  readonly #workers = new WorkersSum<number>();
  #supervisor: Pick<Supervisor, "askSnapshots" | "pids"> | undefined;
  #asking: Promise<void> | undefined;
  #askingNext: Promise<void> | undefined;

  /** It counts the events of the supervisor itself from now on. */
  constructor(logger: Logger, state: () => ServiceState) {
    this.#state = state;
    this.#meter = startMeter(logger);
    this.#meter.gauges = {
      sessionsOpen: () => 0,
      filters: () => ({ running: 0, waiting: 0, count: state().plan.maxFilters }),
      workers: () => ({ running: this.#supervisor?.pids.length ?? 0, wanted: state().plan.workers }),
    };
  }

  /** The supervisor has workers to ask. */
  serves(supervisor: Pick<Supervisor, "askSnapshots" | "pids">): void {
    this.#supervisor = supervisor;
  }

  /** A worker has told what it counted. `worker` is its process id. */
  take(worker: number, snapshot: unknown): void {
    const received = receivedSnapshot(snapshot);
    if (received) this.#workers.take(worker, received);
  }

  /** A worker has ended. */
  end(worker: number): void {
    this.#workers.end(worker);
  }

  async snapshot(): Promise<Snapshot> {
    await this.#ask();
    return this.known();
  }

  ownFault(): string | undefined {
    const { phase, plan: { maxClients } } = this.#state();
    if (phase !== "serving") return phase === "starting" ? "postprox is starting" : "postprox is shutting down";
    if (this.#supervisor?.pids.length === 0) return "no worker runs";
    return this.known().sessionsOpen < maxClients ? undefined : fullWords(maxClients);
  }

  setup(): Setup {
    return this.#state().setup;
  }

  /** What the workers have told until now. */
  known(): Snapshot {
    this.#meter.expect(namesOfChecks(this.#state().setup.settings));
    return this.#workers.with(this.#meter.snapshot());
  }

  // Those who come while the workers are asked share the next question. The one under way may miss what they know of.
  #ask(): Promise<void> {
    if (!this.#supervisor) return Promise.resolve();
    if (!this.#asking) {
      this.#asking = this.#supervisor.askSnapshots(ASK_LIMIT).finally(() => this.#asking = undefined);
      return this.#asking;
    }
    this.#askingNext ??= this.#asking.then(() => {
      this.#askingNext = undefined;
      return this.#ask();
    });
    return this.#askingNext;
  }
}
