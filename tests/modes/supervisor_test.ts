// Tests of lib/modes/supervisor.ts: workers that a test plays. They start, end, hang, and hand over to others.

import assert from "node:assert/strict";
import { SYSLOG } from "../../lib/log/sinks.ts";
import type { Plan } from "../../lib/modes/generation.ts";
import { Supervisor, type WorkerEvents } from "../../lib/modes/supervisor.ts";
import type { ToSupervisor, ToWorker } from "../../lib/modes/worker_link.ts";
import type { ProcessEnd } from "../../lib/ports/runtime.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { settled } from "../fakes/settled.ts";

const LOG = { target: SYSLOG, format: "json", verbosity: 1 } as const;

const PLAN: Plan = { workers: 2, maxClients: 100, maxFilters: 2, drainTimeout: 30_000, files: { "/etc/rules": "1" } };

class FakeWorker {
  readonly pid: number;
  readonly #events: WorkerEvents;
  /** What it has heard, without pings. */
  heard: ToWorker[] = [];
  answers = true;
  isKilled = false;
  isOver = false;

  constructor(pid: number, events: WorkerEvents) {
    this.pid = pid;
    this.#events = events;
  }

  say(word: ToWorker): void {
    if (this.isOver) return;
    if (word.say !== "ping") this.heard.push(word);
    else if (this.answers) queueMicrotask(() => this.tell({ say: "pong" }));
  }

  kill(): void {
    this.isKilled = true;
    this.end({ signal: "SIGKILL" });
  }

  tell(...words: readonly ToSupervisor[]): void {
    if (!this.isOver) { for (const word of words) this.#events.said(word); }
  }

  end(end: ProcessEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#events.ended(end);
  }

  /** The names of the words that it has heard. */
  get words(): string[] {
    return this.heard.map(({ say }) => say);
  }
}

class Bed {
  readonly clock = new FakeClock();
  readonly logger = new FakeLogger();
  readonly workers: FakeWorker[] = [];
  refusal: Error | undefined;
  readonly counted: string[] = [];
  readonly supervisor = new Supervisor({
    clock: this.clock,
    logger: this.logger,
    log: LOG,
    start: async (events) => {
      if (this.refusal) throw this.refusal;
      const worker = new FakeWorker(100 + this.workers.length, events);
      this.workers.push(worker);
      return worker;
    },
    onSnapshot: (worker, snapshot) => this.counted.push(`${worker}: ${JSON.stringify(snapshot)}`),
    onEnd: (worker) => this.counted.push(`${worker} has ended`),
  }, PLAN);

  /** All processes are ready. */
  static async started(): Promise<Bed> {
    const bed = new Bed();
    const raised = bed.supervisor.renew(PLAN);
    await bed.ready();
    assert.equal(await raised, undefined);
    return bed;
  }

  get living(): FakeWorker[] {
    return this.workers.filter(({ isOver }) => !isOver);
  }

  /** The lines about workers that were replaced, as "pid reason" with the pause. */
  get replaced(): string[] {
    return this.logger.lines.flatMap((line) => /worker=(\S+ reason=.*)/.exec(line)?.[1] ?? []);
  }

  async ready(...workers: readonly FakeWorker[]): Promise<void> {
    await settled();
    for (const worker of workers.length > 0 ? workers : this.workers) worker.tell({ say: "ready" });
    await settled();
  }

  /** The workers that were asked last for what they count answer. */
  async answer(...workers: readonly FakeWorker[]): Promise<void> {
    for (const worker of workers) {
      const word = worker.heard.at(-1);
      if (word?.say === "snapshot") worker.tell({ say: "snapshot", id: word.id, snapshot: null });
    }
    await settled();
  }

  /** All processes that were told to end do so. */
  async end(): Promise<void> {
    this.supervisor.stop();
    await settled();
    for (const worker of this.living) worker.end({ exit: 0 });
    await this.supervisor.over;
    assert.equal(this.clock.pending, 0, "timers are left");
  }
}

Deno.test("Supervisor: each worker gets the files first, and all must be ready", async () => {
  const bed = new Bed();
  let isUp = false;
  const raised = bed.supervisor.renew(PLAN).then((why) => {
    isUp = true;
    return why;
  });
  await settled();
  assert.equal(bed.workers.length, 2);
  await bed.ready(bed.workers[0]!);
  assert.equal(isUp, false);
  await bed.ready(bed.workers[1]!);
  assert.equal(await raised, undefined);
  assert.deepEqual(bed.supervisor.pids, [100, 101]);
  for (const { heard } of bed.workers) {
    assert.deepEqual(heard, [{ say: "files", files: PLAN.files, log: LOG, counts: false }]);
  }
  await bed.end();
});

Deno.test("Supervisor: workers that cannot start are the reason that it gives", async () => {
  const rows = [
    [(worker: FakeWorker) => worker.end({ exit: 70 }), "it ended by itself with status 70"],
    // For example, an upgrade has removed it.
    [(worker: FakeWorker) => worker.end({ exit: 127 }), "the program could not be run (status 127)"],
    [(worker: FakeWorker) => {
      worker.tell({ say: "failed", why: "no room" }, { say: "failed", why: "at all" });
      worker.end({ exit: 75 });
    }, "no room; at all"],
  ] as const;
  for (const [fail, why] of rows) {
    const bed = new Bed();
    const raised = bed.supervisor.renew(PLAN);
    await bed.ready(bed.workers[0]!);
    await settled();
    fail(bed.workers[1]!);
    assert.equal(await raised, why);
    // The other one may have a client already.
    assert.deepEqual(bed.workers[0]!.words, ["files", "drain"]);
    await bed.end();
  }
  const bed = new Bed();
  bed.refusal = new Error("too many processes");
  assert.equal(await bed.supervisor.renew(PLAN), "too many processes");
  await bed.end();
});

Deno.test("Supervisor: a worker that is killed while all start gets another chance, but not for ever", async () => {
  const bed = new Bed();
  const raised = bed.supervisor.renew(PLAN);
  await settled();
  bed.workers[0]!.end({ signal: "SIGKILL" });
  await settled();
  assert.equal(bed.workers.length, 3);
  await bed.ready();
  assert.equal(await raised, undefined);
  await bed.end();

  const other = new Bed();
  const failing = other.supervisor.renew(PLAN);
  let why: string | undefined;
  void failing.then((reason) => why = reason);
  for (let second = 0; second < 60 && why === undefined; second++) {
    await settled();
    for (const worker of other.living) worker.end({ signal: "SIGSEGV" });
    await other.clock.advance(1000);
  }
  assert.equal(why, "it was killed by SIGSEGV");
  await other.end();
});

Deno.test("Supervisor: a worker that is not ready in time, or does not answer, is killed and replaced", async () => {
  const bed = await Bed.started();
  const [hung, other] = bed.workers;
  hung!.answers = false;
  await bed.clock.advance(29_000);
  assert.equal(hung!.isKilled, false);
  await bed.clock.advance(5_000);
  assert.equal(hung!.isKilled, true);
  assert.equal(other!.isKilled, false);
  assert.deepEqual(bed.replaced, ['100 reason="it did not answer for 30 s and was killed"']);
  const late = bed.workers[2]!;
  await bed.clock.advance(60_000);
  assert.equal(late.isKilled, true);
  assert.deepEqual(bed.replaced.slice(1), ['102 reason="it was not ready within 60 s"']);
  await bed.end();
});

Deno.test("Supervisor: its own sleep is no silence of the workers", async () => {
  const bed = await Bed.started();
  for (const worker of bed.workers) worker.answers = false;
  await bed.clock.advance(20_000);
  // The machine was asleep: the timer comes late.
  const { clock } = bed;
  const now = clock.now.bind(clock);
  clock.now = () => now() + 3_600_000;
  for (const worker of bed.workers) worker.answers = true;
  await clock.advance(10_000);
  assert.deepEqual(bed.workers.map(({ isKilled }) => isKilled), [false, false]);
  await bed.end();
});

Deno.test("Supervisor: a worker is replaced at once, whatever signal it died of", async () => {
  const bed = await Bed.started();
  for (const signal of ["SIGKILL", "SIGSEGV", "SIGABRT", "SIGHUP", "SIGXCPU"]) {
    const worker = bed.living[0]!;
    worker.end({ signal });
    await settled();
    assert.equal(bed.living.length, 2, signal);
    assert.equal(bed.replaced.at(-1), `${worker.pid} reason="it was killed by ${signal}"`);
    await bed.ready(...bed.living);
  }
  assert.equal(bed.replaced.length, 5);
  await bed.end();
});

Deno.test("Supervisor: a worker that gets SIGTERM finishes its sessions, and its successor starts at once", async () => {
  const bed = await Bed.started();
  const [leaving] = bed.workers;
  leaving!.tell({ say: "leaving", signal: "SIGTERM" });
  await bed.clock.advance(100);
  assert.equal(bed.workers.length, 3);
  assert.equal(leaving!.isOver, false);
  assert.deepEqual(bed.replaced, ['100 reason="it ends after SIGTERM"']);
  leaving!.end({ exit: 0 });
  await bed.ready(bed.workers[2]!);
  await bed.clock.advance(60_000);
  assert.equal(bed.replaced.length, 1);
  await bed.end();
});

Deno.test("Supervisor: a worker that never finishes its end is killed", async () => {
  const bed = await Bed.started();
  bed.workers[0]!.tell({ say: "leaving", signal: "SIGTERM" });
  await bed.clock.advance(44_000);
  assert.equal(bed.workers[0]!.isKilled, false);
  await bed.clock.advance(2_000);
  assert.equal(bed.workers[0]!.isKilled, true);
  await bed.end();
});

Deno.test("Supervisor: nobody is replaced if all get SIGTERM", async () => {
  const bed = await Bed.started();
  for (const worker of bed.workers) worker.tell({ say: "leaving", signal: "SIGTERM" });
  await bed.clock.advance(50);
  bed.supervisor.drain();
  await bed.clock.advance(1000);
  for (const worker of bed.workers) worker.end({ exit: 0 });
  await bed.supervisor.over;
  assert.deepEqual([bed.workers.length, bed.replaced], [2, []]);
});

Deno.test("Supervisor: the pause grows to 30 s while a worker ends by itself again and again", async () => {
  const bed = await Bed.started();
  const pauses: number[] = [];
  for (let round = 0; round < 9; round++) {
    const count = bed.workers.length;
    bed.workers.at(-1)!.end({ exit: 70 });
    const start = bed.clock.now();
    await settled();
    while (bed.workers.length === count) await bed.clock.advance(500);
    pauses.push(bed.clock.now() - start);
    await bed.ready(bed.workers.at(-1)!);
  }
  assert.deepEqual(pauses, [0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  assert.match(bed.replaced.at(-1)!, /reason="it ended by itself with status 70" pause_s=30$/);
  // One that was up for a minute has not ended again and again.
  await bed.clock.advance(60_000);
  const count = bed.workers.length;
  bed.workers.at(-1)!.end({ exit: 70 });
  await settled();
  assert.equal(bed.workers.length, count + 1);
  await bed.end();
});

Deno.test("Supervisor: the pause also grows while a worker crashes before it is ready, but not if somebody kills it", async () => {
  for (const [signal, time] of [["SIGSEGV", 0 + 0 + 1000 + 2000 + 4000], ["SIGKILL", 0], ["SIGTERM", 0]] as const) {
    const bed = await Bed.started();
    const start = bed.clock.now();
    // The first one was ready.
    for (let round = 0; round < 5; round++) {
      const count = bed.workers.length;
      bed.workers.at(-1)!.end({ signal });
      await settled();
      while (bed.workers.length === count) await bed.clock.advance(500);
    }
    assert.equal(bed.clock.now() - start, time, signal);
    await bed.end();
  }
});

Deno.test("Supervisor: new workers take over when all of them are ready, and the old ones then finish", async () => {
  const bed = await Bed.started();
  const renewed = bed.supervisor.renew({ ...PLAN, workers: 3, files: { "/etc/rules": "2" } });
  await settled();
  assert.equal(bed.workers.length, 5);
  await bed.ready(bed.workers[2]!, bed.workers[3]!);
  assert.deepEqual(bed.workers[0]!.words, ["files"]);
  let isDone = false;
  void renewed.then(() => isDone = true);
  await bed.ready(bed.workers[4]!);
  // An old one accepts no more when it answers a later word, or when it has ended.
  for (const old of bed.workers.slice(0, 2)) assert.deepEqual(old.words, ["files", "drain", "snapshot"]);
  await bed.answer(bed.workers[0]!);
  assert.equal(isDone, false);
  bed.workers[1]!.end({ signal: "SIGKILL" });
  assert.equal(await renewed, undefined);
  assert.deepEqual(bed.workers[4]!.heard, [{ say: "files", files: { "/etc/rules": "2" }, log: LOG, counts: false }]);
  assert.deepEqual(bed.supervisor.pids, [102, 103, 104]);
  bed.workers[0]!.end({ exit: 0 });
  await bed.clock.advance(1000);
  assert.deepEqual([bed.workers.length, bed.replaced], [5, []]);
  // One that replaces a new one has the new files.
  bed.workers[2]!.end({ signal: "SIGKILL" });
  await settled();
  assert.deepEqual(bed.workers[5]!.heard, [{ say: "files", files: { "/etc/rules": "2" }, log: LOG, counts: false }]);
  await bed.end();
});

Deno.test("Supervisor: if new workers cannot start, the old ones go on and are replaced as before", async () => {
  const bed = await Bed.started();
  const renewed = bed.supervisor.renew({ ...PLAN, files: { "/etc/rules": "2" } });
  await settled();
  // An old one dies meanwhile.
  bed.workers[0]!.end({ signal: "SIGKILL" });
  await settled();
  assert.deepEqual(bed.workers[4]!.heard, [{ say: "files", files: PLAN.files, log: LOG, counts: false }]);
  bed.workers[2]!.tell({ say: "failed", why: "no room" });
  bed.workers[2]!.end({ exit: 75 });
  assert.equal(await renewed, "no room");
  bed.workers[3]!.end({ exit: 0 });
  await bed.ready(bed.workers[4]!);
  assert.deepEqual(bed.workers[1]!.words, ["files"]);
  assert.deepEqual(bed.supervisor.pids, [101, 104]);
  await bed.end();
});

Deno.test("Supervisor: new workers wait until those before them are ready, and may fail then", async () => {
  const bed = new Bed();
  const first = bed.supervisor.renew(PLAN);
  const second = bed.supervisor.renew({ ...PLAN, files: { "/etc/rules": "2" } });
  await settled();
  assert.equal(bed.workers.length, 2);
  await bed.ready();
  assert.equal(await first, undefined);
  const [, , third] = bed.workers;
  third!.end({ exit: 126 });
  assert.equal(await second, "the program could not be run (status 126)");
  const raised = bed.supervisor.renew(PLAN);
  await bed.ready();
  // Those before them hang. That holds nothing up for long.
  await bed.clock.advance(1000);
  assert.equal(await raised, undefined);
  await bed.end();
});

Deno.test("Supervisor: drain lets all finish, those that start as well; stop ends them", async () => {
  const bed = await Bed.started();
  const renewed = bed.supervisor.renew(PLAN);
  await settled();
  bed.supervisor.drain();
  assert.equal(await renewed, undefined);
  for (const worker of bed.workers) assert.deepEqual(worker.words, ["files", "drain"]);
  bed.supervisor.stop();
  for (const worker of bed.workers) assert.deepEqual(worker.words, ["files", "drain", "stop"]);
  let isOver = false;
  void bed.supervisor.over.then(() => isOver = true);
  for (const worker of bed.workers.slice(1)) worker.end({ exit: 0 });
  await settled();
  assert.equal(isOver, false);
  await bed.clock.advance(15_000);
  assert.equal(bed.workers[0]!.isKilled, true);
  await bed.supervisor.over;
  assert.deepEqual(bed.replaced, []);
  assert.equal(bed.clock.pending, 0);
  assert.equal(await bed.supervisor.renew(PLAN), undefined);
  assert.equal(bed.workers.length, 4);
});

Deno.test("Supervisor: a worker that waits for its pause does not start after the end", async () => {
  const bed = await Bed.started();
  bed.workers[0]!.end({ exit: 70 });
  await bed.ready(bed.workers[2]!);
  bed.workers[2]!.end({ exit: 70 });
  await settled();
  assert.equal(bed.living.length, 1);
  await bed.end();
  await bed.clock.advance(60_000);
  assert.equal(bed.workers.length, 3);
});

Deno.test("Supervisor: filters of all workers have their turns in order, and a dead worker's turns come back", async () => {
  const bed = await Bed.started();
  const [one, other] = bed.workers;
  one!.tell({ say: "wantTurn", id: 1 }, { say: "wantTurn", id: 2 });
  other!.tell({ say: "wantTurn", id: 1 }, { say: "wantTurn", id: 2 });
  const turns = (worker: FakeWorker) => worker.heard.flatMap((word) => word.say === "turn" ? word.id : []);
  assert.deepEqual([turns(one!), turns(other!)], [[1, 2], []]);
  one!.tell({ say: "endTurn", id: 2 });
  assert.deepEqual(turns(other!), [1]);
  one!.end({ signal: "SIGKILL" });
  assert.deepEqual(turns(other!), [1, 2]);
  await bed.end();
});

Deno.test("Supervisor: places are for all workers, also for those that finish", async () => {
  const bed = await Bed.started();
  const renewed = bed.supervisor.renew({ ...PLAN, maxClients: 3 });
  const [old] = bed.workers;
  old!.tell({ say: "wantPlaces", count: 1 });
  const places = (worker: FakeWorker) => worker.heard.flatMap((word) => word.say === "places" ? word.count : []);
  assert.ok(places(old!)[0]! >= 1);
  await bed.ready();
  await bed.answer(...bed.workers);
  assert.equal(await renewed, undefined);
  const next = bed.workers[2]!;
  next.tell({ say: "wantPlaces", count: 1 });
  assert.deepEqual(places(next), []);
  assert.equal(old!.words.at(-1), "recall");
  old!.tell({ say: "givePlaces", count: places(old!)[0]! - 1 });
  assert.deepEqual(places(next), [1]);
  await bed.end();
});

Deno.test("Supervisor: snapshots come from the workers that are ready and answer", async () => {
  const bed = await Bed.started();
  bed.workers[1]!.end({ signal: "SIGKILL" });
  await settled();
  const asked = bed.supervisor.askSnapshots(1000);
  const question = bed.workers[0]!.heard.at(-1)!;
  assert.ok(question.say === "snapshot");
  bed.workers[0]!.tell({ say: "snapshot", id: question.id, snapshot: { sessions: 3 } });
  await asked;
  const unanswered = bed.supervisor.askSnapshots(1000);
  await bed.clock.advance(1000);
  await unanswered;
  bed.workers[0]!.tell({ say: "snapshot", id: 0, snapshot: { sessions: 4 } });
  assert.deepEqual(bed.counted, ["101 has ended", '100: {"sessions":3}', '100: {"sessions":4}']);
  await bed.end();
});

Deno.test("Supervisor: all workers open their logs again", async () => {
  const bed = await Bed.started();
  bed.supervisor.reopen();
  for (const worker of bed.workers) assert.equal(worker.words.at(-1), "reopen");
  await bed.end();
});
