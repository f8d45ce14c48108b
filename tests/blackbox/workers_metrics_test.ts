// --metrics with --workers: one page for all workers, and no counter is lost or goes back, whatever happens to a worker.

import assert from "node:assert/strict";
import { freePort, isAlive, kill, Listening } from "../e2e/start.ts";
import { ask } from "../rig/http.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { deliver } from "./rig.ts";

const WORKERS = 2;

interface Bed {
  readonly fake: Server;
  readonly program: Listening;
  readonly http: { readonly port: number };
}

async function withWorkers(body: (bed: Bed) => Promise<void>, ...options: readonly string[]): Promise<void> {
  const fake = await Server.start();
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  Deno.mkdirSync(`${dir}/spool`);
  const http = { port: await freePort() };
  const args = [
    fake.operand,
    "-d",
    `${dir}/spool`,
    `--log=${dir}/log`,
    `--workers=${WORKERS}`,
    `--metrics=${http.port}`,
  ];
  const program = await Listening.start([...args, ...options]);
  try {
    await until(async () => (await ask(http, "/healthz").catch(() => undefined))?.status === 200, "a healthy service");
    await body({ fake, program, http });
  } finally {
    await program.stop();
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

async function sample({ http }: Bed, name: string): Promise<number> {
  const { status, body } = await ask(http, "/metrics");
  assert.equal(status, 200);
  const line = body.split("\n").find((line) => line.startsWith(`${name} `));
  assert.ok(line, `${name} is missing in ${body}`);
  return Number(line.slice(name.length));
}

const passed = (bed: Bed) => sample(bed, 'postprox_messages_total{verdict="unchecked",check=""}');
const open = (bed: Bed) => sample(bed, "postprox_sessions_open");

/** Sends a message, each in a session of its own. */
async function send({ program }: Bed, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, async () => {
    const { client } = await program.connect();
    await client.expect(220);
    await client.expect(250, "EHLO client.example");
    assert.equal((await deliver(client)).code, 250);
    await client.expect(221, "QUIT");
    client.close();
  }));
}

function workersOf({ program: { process: { pid } } }: Bed): number[] {
  const children = Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`);
    } catch {
      return "";
    }
  });
  return children.join(" ").split(" ").filter((word) => word !== "").map(Number).filter(isAlive);
}

/** Waits until there are as many workers as wanted, and none of these. */
async function others(bed: Bed, gone: readonly number[]): Promise<void> {
  const areThere = () => {
    const workers = workersOf(bed);
    return workers.length === WORKERS && workers.every((pid) => !gone.includes(pid));
  };
  await until(areThere, () => `other workers than ${gone}`);
}

Deno.test("--metrics is the sum over workers, at once, and a session that is open counts wherever it is", () =>
  withWorkers(async (bed) => {
    await send(bed, 20);
    assert.equal(await passed(bed), 20);
    assert.equal(await sample(bed, "postprox_downstream_seconds_count"), 20);
    const clients = await Promise.all(Array.from({ length: 6 }, () => bed.program.connect()));
    for (const { client } of clients) await client.expect(220);
    assert.equal(await open(bed), 6);
    for (const { client } of clients) client.close();
    await until(async () => await open(bed) === 0, "the end of the sessions");
    assert.equal(await sample(bed, "postprox_sessions_total"), 26);
    const page = await ask(bed.http, "/");
    assert.equal(page.status, 200);
  }));

Deno.test("--metrics: the counters of a worker that was killed stay, and its replacement counts on", () =>
  withWorkers(async (bed) => {
    await send(bed, 10);
    // This is what the supervisor knows from now on, also of a worker that says nothing any more.
    assert.equal(await passed(bed), 10);
    const victims = workersOf(bed);
    for (const victim of victims) kill(victim);
    await others(bed, victims);
    assert.equal(await passed(bed), 10);
    assert.equal(await sample(bed, "postprox_worker_restarts_total"), WORKERS);
    await send(bed, 10);
    assert.equal(await passed(bed), 20);
    assert.equal(await open(bed), 0);
  }));

Deno.test("--metrics: workers that end after SIGTERM, or for SIGHUP, have told all that they counted", () =>
  withWorkers(async (bed) => {
    await send(bed, 10);
    const first = workersOf(bed);
    for (const pid of first) kill(pid, "SIGTERM");
    await others(bed, first);
    assert.equal(await passed(bed), 10);
    await send(bed, 10);
    const second = workersOf(bed);
    Deno.kill(bed.program.process.pid, "SIGHUP");
    await others(bed, second);
    assert.equal(await passed(bed), 20);
    // Nobody asked before they ended, and new workers count on.
    await send(bed, 10);
    assert.equal(await passed(bed), 30);
  }));

Deno.test("--metrics: a worker that hangs delays no page for long, and its last numbers stand", () =>
  withWorkers(async (bed) => {
    await send(bed, 10);
    assert.equal(await passed(bed), 10);
    const [hung] = workersOf(bed);
    kill(hung!, "SIGSTOP");
    try {
      assert.equal(await passed(bed), 10);
      assert.equal((await ask(bed.http, "/healthz")).status, 200);
    } finally {
      kill(hung!, "SIGCONT");
    }
    assert.equal(await passed(bed), 10);
  }));

Deno.test("--metrics with workers: filters that run and wait count over all of them", () =>
  withWorkers(
    async (bed) => {
      const sending = send(bed, 3);
      const running =
        async () => [await sample(bed, "postprox_filters_running"), await sample(bed, "postprox_filters_waiting")];
      await until(async () => String(await running()) === "1,2", "a filter, and two that wait");
      await sending;
      assert.deepEqual(await running(), [0, 0]);
      assert.equal(await sample(bed, 'postprox_check_seconds_count{check="command"}'), 3);
    },
    "-c",
    "sleep 1",
    "--max-filters=1",
  ));
