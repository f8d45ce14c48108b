// --workers: a supervisor and its workers, from outside: replaced, renewed, ended, and limits over all of them.
//
// A worker is a child of the supervisor. Which worker serves a client is the system's choice, so the tests find it by the
// socket of the client.

import assert from "node:assert/strict";
import { isAlive, isListening, kill, Listening, runProgram } from "../e2e/start.ts";
import { type Client, connectTo } from "../rig/client.ts";
import { Server } from "../rig/server.ts";
import { until, within } from "../rig/wait.ts";
import { CONTENT, deliver, listNames, startMessage } from "./rig.ts";

class Bed {
  readonly dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });

  constructor(readonly fake: Server, readonly clients: Client[] = []) {
    Deno.mkdirSync(`${this.dir}/spool`);
  }

  options(...more: readonly string[]): string[] {
    return [this.fake.operand, "-d", `${this.dir}/spool`, `--log=${this.dir}/log`, ...more];
  }

  get log(): string {
    return read(`${this.dir}/log`);
  }

  /** The lines about workers that were replaced. */
  get replaced(): string[] {
    return this.log.split("\n").filter((line) => line.includes("postprox replaces a worker"));
  }

  async client(program: { readonly port: number }): Promise<Client> {
    const client = await connectTo({ port: program.port });
    this.clients.push(client);
    await client.expect(220);
    return client;
  }
}

/** Plays `body` with the program and its workers. At its end, no process may be left. */
async function withWorkers(
  options: (bed: Bed) => readonly string[],
  body: (bed: Bed, program: Listening) => Promise<void>,
): Promise<void> {
  const bed = new Bed(await Server.start());
  const program = await Listening.start(bed.options(...options(bed)));
  try {
    await until(() => bed.log.includes("listening"), () => `the start: ${bed.log}`);
    await body(bed, program);
  } finally {
    const workers = childrenOf(program.process.pid);
    for (const client of bed.clients) client.close();
    await program.stop();
    try {
      await until(() => workers.every((pid) => !isAlive(pid)), () => "the end of the workers");
    } finally {
      for (const pid of workers) kill(pid);
      await bed.fake.stop();
      Deno.removeSync(bed.dir, { recursive: true });
    }
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** The living children of a process. */
function childrenOf(pid: number): number[] {
  if (!isAlive(pid)) return [];
  const pids = Array.from(
    Deno.readDirSync(`/proc/${pid}/task`),
    ({ name }) => read(`/proc/${pid}/task/${name}/children`),
  ).join(" ");
  return pids.split(" ").filter((word) => word !== "").map(Number).filter(isAlive);
}

/** The inodes of the program's sockets that are connected to a client. */
function connections(port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = read("/proc/net/tcp").split("\n").map((line) => line.trim().split(/\s+/));
  return rows.filter((row) => row[1]?.endsWith(local) && row[3] === "01" && row[9] !== "0").map((row) => row[9]!);
}

function hasSocket(pid: number, inode: string | undefined): boolean {
  return Array.from(Deno.readDirSync(`/proc/${pid}/fd`)).some(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`) === `socket:[${inode}]`;
    } catch {
      // It was closed just now.
      return false;
    }
  });
}

/** Connects the only client, and finds the worker that serves it. */
async function clientAndWorker(bed: Bed, program: Listening): Promise<{ client: Client; worker: number }> {
  await until(() => connections(program.port).length === 0, () => "the end of other connections");
  const client = await bed.client(program);
  const [inode] = connections(program.port);
  const worker = childrenOf(program.process.pid).find((pid) => hasSocket(pid, inode));
  assert.ok(worker !== undefined, "no worker has the client");
  return { client, worker };
}

async function waitForOthers(program: Listening, count: number, ...gone: readonly number[]): Promise<number[]> {
  let workers: number[] = [];
  await until(() => {
    workers = childrenOf(program.process.pid);
    return workers.length === count && workers.every((pid) => !gone.includes(pid));
  }, () => `${count} workers without ${gone}, there are ${workers}`);
  return workers;
}

Deno.test("--workers: a worker that dies is replaced within a second, and the sessions of others go on", () =>
  withWorkers(() => ["--workers=2"], async (bed, program) => {
    assert.match(bed.log, / listening .*workers=2/);
    const ways = [
      ["SIGKILL", /it was killed by SIGKILL/],
      ["SIGABRT", /it was killed by SIGABRT/],
      // It may be so new that it does not handle them yet.
      ["SIGTERM", /it ends after SIGTERM|it was killed by SIGTERM/],
      ["SIGINT", /it ends after SIGINT|it was killed by SIGINT/],
      ["SIGQUIT", /it ends after SIGQUIT|it was killed by SIGQUIT/],
    ] as const;
    for (const [round, [signal, how]] of ways.entries()) {
      const { client, worker } = await clientAndWorker(bed, program);
      const [victim] = childrenOf(program.process.pid).filter((pid) => pid !== worker);
      const start = performance.now();
      kill(victim!, signal);
      await until(() => bed.replaced.length > round, () => `a line about ${signal}: ${bed.log}`);
      // The time of a line is exact. Only a busy machine makes the test late.
      assert.ok(performance.now() - start < 5000, signal);
      const line = bed.replaced.at(-1)!;
      assert.match(line, how);
      assert.ok(line.includes(`worker=${victim} `), line);
      assert.doesNotMatch(line, /pause_s/);
      await waitForOthers(program, 2, victim!);
      assert.equal((await deliver(client, CONTENT)).code, 250, signal);
      await client.quit();
    }
    assert.equal(bed.replaced.length, ways.length);
  }));

Deno.test("--workers: a worker that gets SIGTERM finishes its session, while another one takes its place", () =>
  withWorkers(() => ["--workers=1"], async (bed, program) => {
    const { client, worker } = await clientAndWorker(bed, program);
    await startMessage(client);
    kill(worker, "SIGTERM");
    await until(() => childrenOf(program.process.pid).length === 2, () => "the next worker");
    const next = await bed.client(program);
    assert.equal((await deliver(next, CONTENT)).code, 250);
    await client.say(`${CONTENT}.\r\n`);
    await client.expect(250);
    await client.expect(221, "QUIT");
    await until(() => !isAlive(worker), () => "the end of the old worker");
    assert.equal(bed.replaced.length, 1);
  }));

Deno.test("--workers: when the supervisor is killed, its workers end within 2 s, their sessions with 421", () =>
  withWorkers(
    (bed) => ["--workers=2", "-c", `echo $$ > ${bed.dir}/pid; while :; do sleep 0.05; done`],
    async (bed, program) => {
      const workers = childrenOf(program.process.pid);
      const idle = await bed.client(program);
      const busy = await bed.client(program);
      await startMessage(busy);
      await busy.say(`${CONTENT}.\r\n`);
      await until(() => /^[0-9]+\n$/.test(read(`${bed.dir}/pid`)), () => "the filter");
      const filter = Number(read(`${bed.dir}/pid`));
      kill(program.process.pid);
      const start = performance.now();
      await until(() => workers.every((pid) => !isAlive(pid)), () => "the end of the workers").finally(() => {
        for (const pid of workers) kill(pid);
      });
      const time = performance.now() - start;
      assert.ok(time < 4000, `${time} ms`);
      for (const client of [idle, busy]) assert.match(await client.end(), /^4[25]1 [^\r\n]*\r\n$/);
      await until(() => !isAlive(filter), () => "the end of the filter").finally(() => kill(filter));
      assert.equal(isListening(program.port), false);
      await within(program.process.ended, () => "the supervisor");
    },
  ));

Deno.test("--workers: SIGHUP brings new workers with the files as they are now, and old sessions go on", () =>
  withWorkers((bed) => {
    Deno.writeTextFileSync(`${bed.dir}/filter.rules`, "# none\n");
    return ["--workers=2", `--filter-rules=${bed.dir}/filter.rules`];
  }, async (bed, program) => {
    const old = childrenOf(program.process.pid);
    const client = await bed.client(program);
    Deno.writeTextFileSync(`${bed.dir}/filter.rules`, "Subject: forbidden\n");
    const reload = async (count: number) => {
      const lines = () => bed.log.split("\n").filter((line) => / listening |not reloaded/.test(line)).length;
      const before = lines();
      kill(program.process.pid, "SIGHUP");
      await until(() => lines() >= before + count, () => `the reload: ${bed.log}`);
    };
    await reload(1);
    const workers = childrenOf(program.process.pid).filter((pid) => !old.includes(pid));
    assert.equal(workers.length, 2);
    const next = await bed.client(program);
    assert.equal((await deliver(next, "Subject: forbidden\r\n\r\nx\r\n")).code, 550);
    // A session keeps what it began with.
    assert.equal((await deliver(client, "Subject: forbidden\r\n\r\nx\r\n")).code, 250);
    await client.quit();
    await until(() => old.every((pid) => !isAlive(pid)), () => "the end of the old workers");

    // A mistake changes nothing, not even for a worker that replaces another one.
    Deno.writeTextFileSync(`${bed.dir}/filter.rules`, "\\(\n");
    await reload(2);
    assert.match(bed.log, /not reloaded: .*filter\.rules:1/);
    assert.deepEqual(childrenOf(program.process.pid).toSorted(), workers.toSorted());
    for (const pid of workers) kill(pid);
    await waitForOthers(program, 2, ...workers);
    await until(() => bed.replaced.length === 2, () => "the lines");
    const last = await bed.client(program);
    assert.equal((await deliver(last, "Subject: forbidden\r\n\r\nx\r\n")).code, 550);
  }));

Deno.test("--workers: after SIGHUP the log says what runs, without the options that need a restart", () =>
  withWorkers((bed) => {
    Deno.writeTextFileSync(`${bed.dir}/conf`, "workers = 2\nverbose = 1\n");
    return [`--config=${bed.dir}/conf`];
  }, async (bed, program) => {
    const reload = async (...lines: readonly string[]) => {
      Deno.writeTextFileSync(`${bed.dir}/conf`, `${lines.join("\n")}\n`);
      const before = bed.log.split("restart is needed").length;
      kill(program.process.pid, "SIGHUP");
      await until(() => bed.log.split("restart is needed").length > before, () => `the reload: ${bed.log}`);
      return bed.log.split("\n").findLast((line) => line.includes(" listening "))!;
    };
    const line = await reload("workers = 3", "user = postprox", `metrics = unix:${bed.dir}/metrics`, "log-format=json");
    assert.match(line, / workers=3/);
    assert.doesNotMatch(line, / (?:user|metrics)=/);
    await until(() => bed.log.includes('options="--user --metrics --log-format --verbose"'), () => bed.log);
    // The log has one format: new workers log as the supervisor does.
    const client = await bed.client(program);
    assert.equal((await deliver(client, CONTENT)).code, 250);
    await client.quit();
    await until(() => /: message verdict=unchecked/.test(bed.log), () => `the message's line: ${bed.log}`);
    assert.doesNotMatch(bed.log, /^\{/m);
    // Only a restart can end the supervisor, so the workers stay, however often it hears of that.
    assert.match(await reload("verbose = 1"), / workers=3/);
    assert.match(await reload("verbose = 1"), / workers=3/);
    assert.match(bed.log, /options=--workers$/m);
    assert.equal((await waitForOthers(program, 3)).length, 3);
  }));

Deno.test("--workers: if new workers cannot start, the old ones go on, and the log says so", () =>
  withWorkers((bed) => {
    Deno.writeTextFileSync(`${bed.dir}/conf`, "");
    return ["--workers=2", `--config=${bed.dir}/conf`];
  }, async (bed, program) => {
    const workers = childrenOf(program.process.pid);
    // Only a worker opens that file.
    Deno.writeTextFileSync(`${bed.dir}/conf`, "log-format = json\n");
    Deno.mkdirSync(`${bed.dir}/gone`);
    Deno.renameSync(`${bed.dir}/log`, `${bed.dir}/gone/log`);
    Deno.mkdirSync(`${bed.dir}/log`);
    kill(program.process.pid, "SIGHUP");
    const log = () => read(`${bed.dir}/gone/log`);
    await until(() => log().includes("not reloaded"), log);
    assert.match(log(), /not reloaded: .*new workers cannot start: option --log: /);
    await until(() => childrenOf(program.process.pid).length === 2, () => "the end of the new workers");
    assert.deepEqual(childrenOf(program.process.pid).toSorted(), workers.toSorted());
    const client = await bed.client(program);
    assert.equal((await deliver(client, CONTENT)).code, 250);
    await client.quit();
  }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`--workers: after ${signal} to all processes, sessions of all workers go on to their end`, () =>
    withWorkers(() => ["--workers=2"], async (bed, program) => {
      const clients = [];
      for (let count = 0; count < 6; count++) clients.push(await bed.client(program));
      // As a service manager or a terminal does it.
      for (const pid of [program.process.pid, ...childrenOf(program.process.pid)]) kill(pid, signal);
      await until(() => !isListening(program.port), () => "the port to be closed");
      for (const client of clients) assert.equal((await deliver(client, CONTENT)).code, 250);
      assert.ok(isAlive(program.process.pid));
      for (const client of clients) await client.quit();
      assert.equal(await within(program.process.ended, () => "the end of the program"), 0);
      assert.deepEqual([bed.replaced, listNames(`${bed.dir}/spool`)], [[], []]);
    }));
}

for (const signals of [["SIGQUIT"], ["SIGTERM", "SIGTERM"]] as const) {
  Deno.test(`--workers: ${signals.join(" ")} ends all sessions`, () =>
    withWorkers(() => ["--workers=2"], async (bed, program) => {
      const clients = [];
      for (let count = 0; count < 4; count++) clients.push(await bed.client(program));
      for (const [round, signal] of signals.entries()) {
        kill(program.process.pid, signal);
        if (round === 0 && signals.length > 1) {
          await until(() => !isListening(program.port), () => "the port to be closed");
        }
      }
      for (const client of clients) assert.match(await client.end(), /^421 [^\r\n]*\r\n$/);
      assert.equal(await within(program.process.ended, () => "the end of the program"), 0);
    }));
}

Deno.test("--workers: --max-clients is for all workers together, and each place can be had", () =>
  withWorkers(() => ["--workers=3", "--max-clients=5"], async (bed, program) => {
    for (let round = 0; round < 3; round++) {
      const clients = [];
      for (let count = 0; count < 5; count++) clients.push(await bed.client(program));
      for (let count = 0; count < 3; count++) {
        const more = await connectTo({ port: program.port });
        await more.expect(421);
        await more.expectEnd();
        more.close();
      }
      // A worker that dies gives its places back.
      if (round === 1) {
        const [victim] = childrenOf(program.process.pid);
        kill(victim!);
        await waitForOthers(program, 3, victim!);
      } else for (const client of clients) await client.quit();
      for (const client of clients) client.close();
      await until(async () => {
        const probe = await connectTo({ port: program.port });
        const { code } = await probe.hear();
        probe.close();
        return code === 220;
      }, () => "a place");
    }
    assert.match(bed.log, /too many clients .*limit=5/);
  }));

Deno.test("--workers: --max-filters is for all workers together", () =>
  withWorkers((bed) => {
    const filter = `echo + >> ${bed.dir}/times; sleep 0.05; echo - >> ${bed.dir}/times`;
    return ["--workers=3", "--max-filters=2", "-c", filter];
  }, async (bed, program) => {
    const clients = [];
    for (let count = 0; count < 20; count++) {
      const client = await bed.client(program);
      await startMessage(client);
      clients.push(client);
    }
    for (const client of clients) await client.say(`${CONTENT}.\r\n`);
    for (const client of clients) await client.expect(250);
    let [running, most] = [0, 0];
    for (const mark of read(`${bed.dir}/times`).split("\n")) {
      if (mark !== "") most = Math.max(most, running += mark === "+" ? 1 : -1);
    }
    assert.deepEqual([running, most], [0, 2]);
  }));

Deno.test("--workers: a filter hears nothing of the workers, and gets no descriptor of theirs", () =>
  withWorkers(
    (bed) => ["--workers=1", "-c", `env > ${bed.dir}/env; ls -l /proc/self/fd > ${bed.dir}/fds`],
    async (bed, program) => {
      const client = await bed.client(program);
      assert.equal((await deliver(client, CONTENT)).code, 250);
      assert.match(read(`${bed.dir}/env`), /^PATH=/m);
      assert.doesNotMatch(read(`${bed.dir}/env`), /WORKER|NOTIFY_SOCKET|LISTEN_/);
      const fds = read(`${bed.dir}/fds`);
      assert.equal(fds.match(/ -> /g)?.length, 4, fds);
      assert.doesNotMatch(fds, /socket:/);
    },
  ));

Deno.test("--workers with a unix socket: its name is gone after the end", async () => {
  const bed = new Bed(await Server.start());
  const path = `${bed.dir}/socket`;
  const pidFile = `${bed.dir}/pid`;
  // A killed process has left it behind.
  const left = Deno.listen({ transport: "unix", path });
  Deno.renameSync(path, `${path}.moved`);
  left.close();
  Deno.renameSync(`${path}.moved`, path);
  // To the background: the command returns when connections are accepted.
  const { status, stderr } = await runProgram(
    bed.options("-l", `unix:${path}`, "--workers=2", `--pid-file=${pidFile}`),
  );
  assert.deepEqual([status, stderr], [0, ""]);
  const supervisor = Number(read(pidFile));
  const workers = childrenOf(supervisor);
  try {
    assert.equal(workers.length, 2);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o666);
    const client = await connectTo({ path });
    await client.expect(220);
    assert.equal((await deliver(client, CONTENT)).code, 250);
    await client.quit();
    kill(supervisor, "SIGTERM");
    await until(() => !isAlive(supervisor), () => "the end");
    assert.deepEqual(listNames(bed.dir).toSorted(), ["log", "spool"]);
  } finally {
    for (const pid of [supervisor, ...workers]) kill(pid);
    await bed.fake.stop();
    Deno.removeSync(bed.dir, { recursive: true });
  }
});

Deno.test("--workers: wrong use", async () => {
  const rows: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [
      ["--workers=0", "-l", "10025"],
      /^postprox: option --workers: "0" is no number of workers: give auto, or a number from 1 to 1024\n$/,
    ],
    [["--workers=many", "-l", "10025"], /^postprox: option --workers: "many" is no number of workers: [^\n]*\n$/],
    [["--workers=2"], /^postprox: option --workers is for listen mode: give -l \[IP:\]PORT as well\n$/],
  ];
  for (const [args, said] of rows) {
    const { status, stderr } = await runProgram(["127.0.0.1:10026", ...args]);
    assert.equal(status, 64, stderr);
    assert.match(stderr, said);
  }
});
