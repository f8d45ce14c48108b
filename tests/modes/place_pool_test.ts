// Tests of lib/modes/place_pool.ts and lib/modes/places.ts: the places for clients over all workers.

import assert from "node:assert/strict";
import { PlacePool } from "../../lib/modes/place_pool.ts";
import { LeasedPlaces, OwnPlaces } from "../../lib/modes/places.ts";
import { FakeClock } from "../fakes/clock.ts";
import { settled } from "../fakes/settled.ts";
import { SEED, seeded } from "../rig/octets.ts";

/** A pool and its workers. A word arrives when the test says so. */
class Bed {
  readonly clock = new FakeClock();
  readonly pool: PlacePool<number>;
  readonly workers: LeasedPlaces[] = [];
  /** Words on their way, for each worker in order. */
  readonly toWorker: (() => void)[][] = [];
  readonly toPool: (() => void)[][] = [];
  readonly dead = new Set<number>();

  constructor(limit: number, workers: number) {
    this.pool = new PlacePool<number>(limit, {
      clock: this.clock,
      grant: (worker, count) => this.toWorker[worker]!.push(() => this.workers[worker]!.granted(count)),
      recall: (worker) =>
        this.toWorker[worker]!.push(() => {
          const count = this.workers[worker]!.recalled();
          this.toPool[worker]!.push(() => this.pool.given(worker, count));
        }),
    });
    for (let worker = 0; worker < workers; worker++) this.join();
  }

  join(): void {
    const worker = this.workers.length;
    this.toWorker.push([]);
    this.toPool.push([]);
    this.workers.push(
      new LeasedPlaces((count) => this.toPool[worker]!.push(() => this.pool.want(worker, count))),
    );
    this.pool.join(worker);
  }

  kill(worker: number): void {
    this.dead.add(worker);
    this.toWorker[worker] = [];
    this.toPool[worker] = [];
    this.pool.forget(worker);
  }

  /** Lets one word arrive. False if there is none. */
  step(random: () => number = () => 0): boolean {
    const queues = [...this.toWorker, ...this.toPool].filter((queue) => queue.length > 0);
    const arrive = queues[Math.floor(random() * queues.length)]?.shift();
    arrive?.();
    return queues.length > 0;
  }

  /** Lets all words arrive, but those to the workers in `silent`. */
  async talk(...silent: readonly number[]): Promise<void> {
    for (let isOver = false; !isOver;) {
      await settled();
      isOver = true;
      for (const [at, queue] of [...this.toWorker, ...this.toPool].entries()) {
        if (silent.includes(at % this.workers.length)) continue;
        for (const arrive of queue.splice(0)) {
          isOver = false;
          arrive();
        }
      }
    }
    await settled();
  }

  async take(worker: number): Promise<boolean> {
    const place = this.workers[worker]!.take();
    await this.talk();
    return await place;
  }
}

Deno.test("OwnPlaces has so many places", () => {
  const places = new OwnPlaces(2);
  assert.deepEqual([places.take(), places.take(), places.take()], [true, true, false]);
  places.leave();
  places.limit = 3;
  assert.deepEqual([places.take(), places.take(), places.take()], [true, true, false]);
});

Deno.test("A worker gets places in blocks, so that most clients cost no question", async () => {
  const bed = new Bed(1000, 2);
  assert.ok(bed.workers[0]!.take() instanceof Promise);
  await bed.talk();
  let withoutQuestion = 0;
  for (let client = 0; client < 31; client++) if (bed.workers[0]!.take() === true) withoutQuestion++;
  assert.equal(withoutQuestion, 31);
  assert.equal(bed.pool.free, 1000 - 32);
});

Deno.test("When all is given out, a worker gets what others do not use, and nobody hears no before that", async () => {
  const bed = new Bed(4, 2);
  // The first worker has had all four places, and uses one.
  for (let client = 0; client < 4; client++) assert.equal(await bed.take(0), true);
  for (let client = 0; client < 3; client++) bed.workers[0]!.leave();
  assert.equal(bed.pool.free, 0);
  for (let client = 0; client < 3; client++) assert.equal(await bed.take(1), true, `client ${client}`);
  assert.equal(await bed.take(1), false);
  assert.equal(await bed.take(0), false);
  bed.workers[0]!.leave();
  assert.equal(await bed.take(1), true);
});

Deno.test("Many that wait at the same time are asked for together", async () => {
  const bed = new Bed(50, 2);
  const waiting = Array.from({ length: 60 }, () => bed.workers[0]!.take());
  assert.equal(bed.toPool[0]!.length, 1);
  await bed.talk();
  const answers = await Promise.all(waiting);
  assert.deepEqual(answers.map((has, at) => has === at < 50), Array(60).fill(true));
});

Deno.test("A place that a client leaves goes to one that waits for an answer", async () => {
  const bed = new Bed(1, 1);
  assert.equal(await bed.take(0), true);
  const waiting = bed.workers[0]!.take();
  bed.workers[0]!.leave();
  assert.equal(await waiting, true);
  await bed.talk();
  assert.equal(await bed.take(0), false);
});

Deno.test("A worker that does not answer holds up the others for a second at most", async () => {
  const bed = new Bed(3, 3);
  for (let client = 0; client < 2; client++) assert.equal(await bed.take(0), true);
  assert.equal(await bed.take(2), true);
  bed.workers[0]!.leave();
  const waiting = bed.workers[1]!.take() as Promise<boolean>;
  let answer: boolean | undefined;
  void waiting.then((has) => answer = has);
  await bed.talk(0);
  await bed.clock.advance(999);
  await bed.talk(0);
  assert.equal(answer, undefined);
  await bed.clock.advance(1);
  await bed.talk(0);
  assert.equal(answer, false);
  // Its late answer still counts.
  await bed.talk();
  assert.equal(await bed.take(1), true);
});

Deno.test("The places of a worker that has ended are free, and so are those of a larger limit", async () => {
  const bed = new Bed(2, 2);
  for (let client = 0; client < 2; client++) assert.equal(await bed.take(0), true);
  assert.equal(await bed.take(1), false);
  bed.kill(0);
  for (let client = 0; client < 2; client++) assert.equal(await bed.take(1), true);
  assert.equal(await bed.take(1), false);
  bed.pool.limit = 3;
  assert.equal(await bed.take(1), true);
  bed.pool.limit = 1;
  bed.workers[1]!.leave();
  bed.workers[1]!.leave();
  assert.equal(bed.workers[1]!.recalled(), 2);
});

Deno.test("In any order of events there are never more clients than places, and nobody waits for ever", async () => {
  for (let round = 0; round < 200; round++) {
    const random = seeded(SEED + round);
    const pick = (count: number) => Math.floor(random() * count);
    const limit = 1 + pick(6);
    const bed = new Bed(limit, 1 + pick(4));
    const used: number[] = bed.workers.map(() => 0);
    const waiting: number[] = bed.workers.map(() => 0);
    const what = `seed ${SEED + round}`;
    const living = () => [...bed.workers.keys()].filter((worker) => !bed.dead.has(worker));
    for (let event = 0; event < 150; event++) {
      const alive = living();
      const worker = alive[pick(alive.length)]!;
      const kind = pick(10);
      if (kind < 4) {
        waiting[worker]!++;
        void Promise.resolve(bed.workers[worker]!.take()).then((has) => {
          waiting[worker]!--;
          if (has) used[worker]!++;
        });
      } else if (kind < 7) {
        bed.step(random);
      } else if (kind < 9) {
        if (used[worker]! > 0) {
          used[worker]!--;
          bed.workers[worker]!.leave();
        }
      } else if (alive.length > 1 && pick(4) === 0) {
        bed.kill(worker);
      } else if (pick(3) === 0 && bed.workers.length < 8) {
        bed.join();
        used.push(0);
        waiting.push(0);
      }
      await settled();
      const all = living().reduce((sum, one) => sum + used[one]!, 0);
      assert.ok(all <= limit, `${what}: ${all} clients, ${limit} places`);
    }
    await bed.talk();
    for (const one of living()) assert.equal(waiting[one], 0, what);
    // Nobody uses more than there is, and everything else can be had.
    const [first = 0] = living();
    const all = living().reduce((sum, one) => sum + used[one]!, 0);
    for (let client = all; client < limit; client++) assert.equal(await bed.take(first), true, what);
    assert.equal(await bed.take(first), false, what);
  }
});
