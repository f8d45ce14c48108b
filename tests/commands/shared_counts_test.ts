// Tests of lib/commands/shared_counts.ts: when a worker tells its numbers, and what the supervisor makes of them.

import assert from "node:assert/strict";
import { SYSLOG } from "../../lib/log/sinks.ts";
import { readWords } from "../../lib/commands/commands.ts";
import { countInWorker, ServiceCounts, type ServiceState } from "../../lib/commands/shared_counts.ts";
import { tell } from "../../lib/log/events.ts";
import type { Snapshot } from "../../lib/metrics/snapshot.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { settled } from "../fakes/settled.ts";

const DOWNSTREAM = { transport: "unix", path: "/x" } as const;
const CONNECTED = { downstream: DOWNSTREAM };
const { line: { settings } } = readWords(["-l", "1", "-c", "true", "mx"]);

/** A worker, and what it has told its supervisor. */
function worker() {
  const clock = new FakeClock();
  const logger = new FakeLogger();
  const told: Snapshot[] = [];
  let taken = Promise.resolve();
  const side = {
    sockets: [],
    log: { target: SYSLOG, format: "plain", verbosity: 0 } as const,
    counts: true,
    places: undefined as never,
    turns: { running: 1, waiting: 2, count: 4, take: async () => undefined },
    snapshot: (): unknown => null,
    ready: () => {},
    saySnapshot: () => void told.push(side.snapshot() as Snapshot),
    flush: () => taken,
  };
  const counting = countInWorker({ clock, logger }, side);
  return { clock, logger, told, side, counting, hold: (until: Promise<void>) => void (taken = until) };
}

Deno.test("a worker tells its numbers at once when they change, and then ten times a second at most", async () => {
  const { clock, logger, told, counting } = worker();
  counting({ size: 3 });
  await clock.advance(1000);
  assert.equal(told.length, 0);
  tell(logger, "connected", CONNECTED);
  tell(logger, "connected", CONNECTED);
  await clock.advance(0);
  assert.deepEqual(told.map(({ sessionsTotal }) => sessionsTotal), [2]);
  assert.deepEqual([told[0]!.sessionsOpen, told[0]!.filtersRunning, told[0]!.filtersWaiting], [3, 1, 2]);
  assert.equal(told[0]!.filtersLimit, undefined);
  for (let count = 0; count < 10; count++) tell(logger, "connected", CONNECTED);
  await clock.advance(99);
  assert.equal(told.length, 1);
  await clock.advance(1);
  assert.deepEqual(told.map(({ sessionsTotal }) => sessionsTotal), [2, 12]);
  await clock.advance(1000);
  assert.equal(told.length, 2);
  assert.equal(clock.pending, 0);
});

Deno.test("a worker whose supervisor takes nothing keeps one snapshot for it, and not more", async () => {
  const { clock, logger, told, hold } = worker();
  const held = Promise.withResolvers<void>();
  hold(held.promise);
  for (let count = 0; count < 100; count++) {
    tell(logger, "connected", CONNECTED);
    await clock.advance(1000);
  }
  assert.equal(told.length, 1);
  held.resolve();
  await clock.advance(100);
  assert.deepEqual(told.map(({ sessionsTotal }) => sessionsTotal), [1, 100]);
});

class Service {
  state: ServiceState = {
    phase: "serving",
    plan: { workers: 2, maxClients: 5, maxFilters: 8, drainTimeout: 0, files: {} },
    setup: { settings, options: { downstream: DOWNSTREAM, spoolDirectory: "/tmp" } },
  };
  readonly logger = new FakeLogger();
  readonly counts = new ServiceCounts(this.logger, () => this.state);
  asked: PromiseWithResolvers<void>[] = [];
  pids = [1, 2];

  constructor() {
    const pids = () => this.pids;
    this.counts.serves({
      askSnapshots: () => {
        const asked = Promise.withResolvers<void>();
        this.asked.push(asked);
        return asked.promise;
      },
      get pids() {
        return pids();
      },
    });
  }
}

/** A snapshot of a worker, as it comes. */
function counted(sessionsTotal: number, sessionsOpen: number): unknown {
  const { side, counting, logger } = worker();
  for (let count = 0; count < sessionsTotal; count++) tell(logger, "connected", CONNECTED);
  counting({ size: sessionsOpen });
  return JSON.parse(JSON.stringify(side.snapshot()));
}

Deno.test("the service is the sum of its workers, of those that ended, and of the supervisor", async () => {
  const service = new Service();
  const { counts, asked, logger } = service;
  const first = counts.snapshot();
  counts.take(1, counted(3, 2));
  counts.take(2, counted(4, 1));
  counts.take(2, "nonsense");
  asked[0]!.resolve();
  const before = await first;
  assert.deepEqual([before.sessionsTotal, before.sessionsOpen, before.workers, before.workersWanted], [7, 3, 2, 2]);
  assert.deepEqual([before.filtersLimit, before.filtersRunning, before.filtersWaiting], [8, 2, 4]);
  assert.deepEqual(before.checkErrors, { command: 0 });
  counts.end(1);
  tell(logger, "workerReplaced", { worker: 1, how: "it was killed by SIGKILL", pause: 0 });
  service.pids = [2];
  const second = counts.snapshot();
  asked[1]!.resolve();
  const after = await second;
  assert.deepEqual([after.sessionsTotal, after.sessionsOpen, after.workers, after.workerRestarts], [7, 1, 1, 1]);
});

Deno.test("those who come while workers are asked share the next question", async () => {
  const service = new Service();
  const { counts, asked } = service;
  const first = counts.snapshot();
  const others = Promise.all([counts.snapshot(), counts.snapshot(), counts.snapshot()]);
  assert.equal(asked.length, 1);
  asked[0]!.resolve();
  await first;
  await settled();
  assert.equal(asked.length, 2);
  asked[1]!.resolve();
  await others;
  void counts.snapshot();
  assert.equal(asked.length, 3);
});

Deno.test("the service says why it takes no mail", () => {
  const service = new Service();
  const { counts } = service;
  counts.take(1, counted(4, 4));
  assert.equal(counts.ownFault(), undefined);
  counts.take(2, counted(1, 1));
  assert.equal(counts.ownFault(), "no more clients are served than --max-clients=5");
  counts.end(2);
  assert.equal(counts.ownFault(), undefined);
  service.pids = [];
  assert.equal(counts.ownFault(), "no worker runs");
  service.state = { ...service.state, phase: "starting" };
  assert.equal(counts.ownFault(), "postprox is starting");
  service.state = { ...service.state, phase: "ending" };
  assert.equal(counts.ownFault(), "postprox is shutting down");
});
