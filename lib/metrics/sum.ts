// Sums the snapshots of processes that serve together. Pure, except that `WorkersSum` remembers.
//
// Counters of a process that has ended go on to count. So no sum goes back, whatever happens to a process. But a process
// that is killed takes with it what it counted after its last snapshot.

import {
  type Histogram,
  type LastError,
  type MessageCount,
  type Minute,
  MINUTES_KEPT,
  REFUSALS_KEPT,
  type Snapshot,
  type VerdictLabel,
} from "./snapshot.ts";

/** The sum of `snapshots`. There must be at least one. The build is that of the first. */
export function sumOf(snapshots: readonly [Snapshot, ...Snapshot[]]): Snapshot {
  const [first] = snapshots;
  const total = (numberOf: (one: Snapshot) => number) => snapshots.reduce((sum, one) => sum + numberOf(one), 0);
  const limits = snapshots.flatMap(({ filtersLimit }) => filtersLimit ?? []);
  const time = Math.max(...snapshots.map(({ time }) => time));
  return {
    time,
    startTime: Math.min(...snapshots.map(({ startTime }) => startTime)),
    build: first.build,
    messages: sumMessages(snapshots.flatMap(({ messages }) => messages)),
    messageBytes: total(({ messageBytes }) => messageBytes),
    sessionsOpen: total(({ sessionsOpen }) => sessionsOpen),
    sessionsTotal: total(({ sessionsTotal }) => sessionsTotal),
    checkSeconds: sumByName(snapshots.map(({ checkSeconds }) => checkSeconds), sumHistograms),
    downstreamSeconds: snapshots.map(({ downstreamSeconds }) => downstreamSeconds).reduce(sumHistograms),
    checkErrors: sumByName(snapshots.map(({ checkErrors }) => checkErrors), (one, other) => one + other),
    possibleDuplicates: total(({ possibleDuplicates }) => possibleDuplicates),
    filtersRunning: total(({ filtersRunning }) => filtersRunning),
    filtersWaiting: total(({ filtersWaiting }) => filtersWaiting),
    filtersLimit: limits.length === 0 ? undefined : limits.reduce((sum, one) => sum + one),
    workers: total(({ workers }) => workers),
    workersWanted: total(({ workersWanted }) => workersWanted),
    workerRestarts: total(({ workerRestarts }) => workerRestarts),
    minutes: sumMinutes(snapshots.flatMap(({ minutes }) => minutes), Math.floor(time / 60_000)),
    refusals: snapshots.flatMap(({ refusals }) => refusals).toSorted((one, other) => other.time - one.time)
      .slice(0, REFUSALS_KEPT),
    lastError: lastOf(snapshots.flatMap(({ lastError }) => lastError ?? [])),
  };
}

/** The snapshot of a process that has ended: it counts nothing any more, and has nothing open. */
export function afterItsEnd(snapshot: Snapshot): Snapshot {
  return { ...snapshot, sessionsOpen: 0, filtersRunning: 0, filtersWaiting: 0, filtersLimit: undefined, workers: 0 };
}

/** The sum of a supervisor's own snapshot and those of its workers, also of workers that have ended. */
export class WorkersSum<Worker> {
  readonly #running = new Map<Worker, Snapshot>();
  #ended: Snapshot | undefined;

  /** Takes the newest snapshot of a worker. */
  take(worker: Worker, snapshot: Snapshot): void {
    this.#running.set(worker, snapshot);
  }

  /** The worker has ended. Its last snapshot goes on to count. */
  end(worker: Worker): void {
    const last = this.#running.get(worker);
    this.#running.delete(worker);
    if (!last) return;
    const ended = afterItsEnd(last);
    this.#ended = this.#ended ? sumOf([this.#ended, ended]) : ended;
  }

  with(own: Snapshot): Snapshot {
    return sumOf([own, ...this.#ended ? [this.#ended] : [], ...this.#running.values()]);
  }
}

function sumMessages(messages: readonly MessageCount[]): MessageCount[] {
  const sums = new Map<string, MessageCount>();
  for (const one of messages) {
    const key = `${one.verdict} ${one.check}`;
    sums.set(key, { ...one, count: one.count + (sums.get(key)?.count ?? 0) });
  }
  return [...sums.values()];
}

function sumHistograms(one: Histogram, other: Histogram): Histogram {
  return { buckets: one.buckets.map((count, at) => count + (other.buckets[at] ?? 0)), sum: one.sum + other.sum };
}

function sumByName<Value>(
  all: readonly Readonly<Record<string, Value>>[],
  add: (one: Value, other: Value) => Value,
): Record<string, Value> {
  const sums = new Map<string, Value>();
  for (const [name, value] of all.flatMap((one) => Object.entries(one))) {
    const before = sums.get(name);
    sums.set(name, before === undefined ? value : add(before, value));
  }
  return Object.fromEntries(sums);
}

function sumMinutes(minutes: readonly Minute[], last: number): Minute[] {
  const sums = new Map<number, Minute>();
  for (const one of minutes.filter(({ minute }) => minute > last - MINUTES_KEPT)) {
    const before = sums.get(one.minute);
    sums.set(one.minute, before ? sumMinute(before, one) : one);
  }
  return [...sums.values()].sort((one, other) => one.minute - other.minute);
}

function sumMinute(one: Minute, other: Minute): Minute {
  const messages: Partial<Record<VerdictLabel, number>> = sumByName<number>(
    [one.messages, other.messages] as readonly Record<string, number>[],
    (one, other) => one + other,
  );
  return {
    minute: one.minute,
    messages,
    sessions: one.sessions + other.sessions,
    sessionsOpen: one.sessionsOpen + other.sessionsOpen,
  };
}

function lastOf(errors: readonly LastError[]): LastError | undefined {
  return errors.toSorted((one, other) => other.time - one.time)[0];
}
