// `postprox reload`, from outside: its status and words are those of the reload that it has asked for, with one process and
// with workers. e2e/reload_test.ts has the same under systemd.

import assert from "node:assert/strict";
import { isAlive, kill, Listening, runCommand, runProgram } from "../e2e/start.ts";
import { programWords, reachableProgram } from "../e2e/program.ts";
import { isLeftOut } from "../needs.ts";
import { type Client, connectTo } from "../rig/client.ts";
import { Server } from "../rig/server.ts";
import { until } from "../rig/wait.ts";
import { deliver, exists, read } from "./rig.ts";

const HOLD = "postprox: the service has read its settings again, and they hold\n";

/** The service, and its file of settings. Its filter refuses each message with a word that the file has. */
class Bed {
  readonly dir = Deno.makeTempDirSync({ dir: "/tmp", prefix: "postprox_reload_" });
  readonly run = `${this.dir}/run`;
  readonly config = `${this.dir}/conf`;
  readonly socket = `${this.run}/reload.sock`;
  readonly clients: Client[] = [];
  program!: Listening;

  constructor(readonly fake: Server) {
    for (const name of ["spool", "run", "cache"]) Deno.mkdirSync(`${this.dir}/${name}`);
    this.write("first");
  }

  get env() {
    return { RUNTIME_DIRECTORY: this.run, DENO_DIR: `${this.dir}/cache` };
  }

  get pid(): number {
    return this.program.process.pid;
  }

  write(word: string, ...more: readonly string[]): void {
    const lines = [`command = echo ${word} >&2; exit 1`, ...more];
    // It appears whole.
    Deno.writeTextFileSync(`${this.config}.new`, `${lines.join("\n")}\n`);
    Deno.renameSync(`${this.config}.new`, this.config);
  }

  async start(options: readonly string[], program = programWords()): Promise<void> {
    const words = [
      this.fake.operand,
      "-d",
      `${this.dir}/spool`,
      `--log=${this.dir}/log`,
      "-v",
      `--config=${this.config}`,
    ];
    const before = this.listening;
    this.program = await Listening.start([...words, ...options], this.env, [], program);
    await until(() => this.listening > before, () => `the start: ${this.log}`);
  }

  get log(): string {
    return read(`${this.dir}/log`);
  }

  /** So many lines say what runs: one for each start, and one for each reload. */
  get listening(): number {
    return this.log.split(" listening ").length - 1;
  }

  async reload(...words: readonly string[]) {
    return await runProgram(["reload", ...words], { env: this.env });
  }

  async connect(): Promise<Client> {
    const client = await connectTo({ port: this.program.port });
    this.clients.push(client);
    await client.expect(220);
    return client;
  }

  /** The word that refuses a message in a session that begins now. */
  async word(): Promise<string> {
    const { text } = await deliver(await this.connect());
    return /first|second|third/.exec(text)?.[0] ?? text;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.program?.stop();
    await this.fake.stop();
    Deno.removeSync(this.dir, { recursive: true });
  }
}

async function withBed(options: readonly string[], body: (bed: Bed) => Promise<void>): Promise<void> {
  const bed = new Bed(await Server.start());
  try {
    await bed.start(options);
    await body(bed);
  } finally {
    await bed.stop();
  }
}

for (const options of [[], ["--workers=2"]]) {
  const how = options.map((option) => ` (${option})`).join("");

  Deno.test(`reload ends with 0 when new sessions have the new settings, and with 1 and the mistakes otherwise${how}`, () =>
    withBed(options, async (bed) => {
      bed.write("second");
      assert.deepEqual(await bed.reload(), { status: 0, stdout: HOLD, stderr: "" });
      assert.equal(await bed.word(), "second");

      bed.write("third", "timeout = soon", "max-clients = many");
      const { status, stdout, stderr } = await bed.reload(String(bed.pid));
      assert.deepEqual([status, stdout], [1, ""]);
      const [one = "", other = "", ...more] = stderr.split("\n");
      assert.match(one, /^postprox: not reloaded: \S+\/conf:2: timeout = soon: .+/);
      assert.match(other, /^postprox: not reloaded: \S+\/conf:3: max-clients = many: .+/);
      assert.deepEqual(more, [""]);
      assert.equal(await bed.word(), "second");

      bed.write("third", `pid-file = ${bed.dir}/pid`);
      const restart = "postprox: a restart is needed for options that have changed: --pid-file\n";
      assert.deepEqual(await bed.reload(String(bed.pid)), { status: 0, stdout: HOLD, stderr: restart });
      assert.equal(await bed.word(), "third");

      Deno.removeSync(bed.config);
      assert.match((await bed.reload()).stderr, /^postprox: not reloaded: .*\/conf.*\n$/);
      assert.equal(await bed.word(), "third");
    }));

  Deno.test(`reload hears of its own reload, whatever others have asked for${how}`, () =>
    withBed(options, async (bed) => {
      for (const [word, ...lines] of [["second"], ["third", "timeout = soon"], ["third"]] as const) {
        // The one before may still be under way, and the next one is already asked for.
        for (let count = 0; count < 3; count++) kill(bed.pid, "SIGHUP");
        bed.write(word, ...lines);
        const all = [bed.reload(), bed.reload()];
        kill(bed.pid, "SIGHUP");
        for (const { status, stderr } of await Promise.all(all)) assert.equal(status, lines.length, stderr);
        assert.equal(await bed.word(), lines.length === 0 ? word : "second");
      }
      // It comes after all that was asked for until now.
      await bed.reload();
      bed.write("second");
      const { status, stderr } = await bed.reload("1");
      assert.deepEqual(
        [status, stderr],
        [1, `postprox: not reloaded: process ${bed.pid} answers at ${bed.socket}, and not process 1\n`],
      );
      assert.equal(await bed.word(), "third");
      assert.equal((await bed.reload()).status, 0);
      assert.equal(await bed.word(), "second");
    }));

  Deno.test(`reload says that the service ends or has ended, and a new one takes the socket over${how}`, () =>
    withBed(options, async (bed) => {
      assert.equal(Deno.lstatSync(bed.socket).mode! & 0o777, 0o600);
      // A session keeps it from ending.
      await bed.connect();
      kill(bed.pid, "SIGTERM");
      await until(() => bed.log.includes("shutting down"), () => "the beginning of the end");
      assert.deepEqual(await bed.reload(), {
        status: 1,
        stdout: "",
        stderr: "postprox: not reloaded: postprox ends\n",
      });
      await bed.program.stop();
      assert.ok(!exists(bed.socket));
      assert.match(
        (await bed.reload()).stderr,
        /^postprox: not reloaded: cannot connect .*: is the service running, with .*\n$/,
      );

      await bed.start(options);
      kill(bed.pid, "SIGSTOP");
      await until(() => /^State:\tT/m.test(read(`/proc/${bed.pid}/status`)), () => "a process that stands still");
      const asked = bed.reload();
      // It has asked, and nobody has answered.
      const isThere = () => read("/proc/net/unix").split(bed.socket).length > 2;
      await until(isThere, () => "the connection").finally(() => kill(bed.pid, "SIGKILL"));
      assert.deepEqual(await asked, {
        status: 1,
        stdout: "",
        stderr: "postprox: the service ended before it answered\n",
      });
      await bed.program.process.ended;
      const { status, stderr } = await bed.reload();
      assert.equal(status, 1);
      assert.match(stderr, /^postprox: not reloaded: cannot connect .*: the service has ended\n$/);

      await bed.start(options);
      assert.equal((await bed.reload(String(bed.pid))).status, 0);
    }));
}

Deno.test("a directory that is of no use for the socket is a line of the log, and mail and SIGHUP go on", async () => {
  const bed = new Bed(await Server.start());
  try {
    Deno.chmodSync(bed.run, 0o777);
    await bed.start([]);
    assert.match(
      bed.log,
      /warning: postprox reload gets no answer from this process reason="every user can change .*\/run"/,
    );
    assert.ok(!exists(bed.socket));
    bed.write("second");
    kill(bed.pid, "SIGHUP");
    await until(() => bed.log.includes("reloaded: "), () => "the reload");
    assert.equal(await bed.word(), "second");
  } finally {
    await bed.stop();
  }
});

Deno.test("a second service in the same directory takes nothing from the first", () =>
  withBed([], async (bed) => {
    const options = [bed.fake.operand, "-d", `${bed.dir}/spool`, `--log=${bed.dir}/other`];
    const other = await Listening.start(options, bed.env);
    try {
      await until(() => read(`${bed.dir}/other`).includes("gets no answer"), () => "the warning");
      const { status, stderr } = await bed.reload(String(other.process.pid));
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(`process ${bed.pid} answers at .*, and not process ${other.process.pid}\n$`));
    } finally {
      await other.stop();
    }
    assert.equal((await bed.reload(String(bed.pid))).status, 0);
  }));

for (const options of [["--user=nobody"], ["--user=nobody", "--workers=2"]]) {
  Deno.test({
    name: `root reloads a service that runs as another user, and nobody else can (${options.join(" ")})`,
    ignore: isLeftOut("a reload of a service that has given up root"),
    fn: async () => {
      const bed = new Bed(await Server.start());
      try {
        Deno.chmodSync(bed.dir, 0o755);
        Deno.writeTextFileSync(`${bed.dir}/log`, "");
        for (const name of ["spool", "cache", "log"]) Deno.chmodSync(`${bed.dir}/${name}`, 0o777);
        const program = reachableProgram(bed.dir);
        await bed.start(options, program);
        const user = ["/usr/bin/setpriv", "--reuid=nobody", "--clear-groups", "--inh-caps=-all"];
        bed.write("second");
        assert.deepEqual(await bed.reload(), { status: 0, stdout: HOLD, stderr: "" });
        assert.equal(await bed.word(), "second");

        const denied = await runCommand([...user, ...program, "reload"], { env: bed.env });
        assert.equal(denied.status, 1, denied.stderr);
        assert.match(
          denied.stderr,
          /^postprox: not reloaded: .*: only root, and the user that has started the service, .*\n$/,
        );

        // Root can read it, and the service cannot.
        bed.write("third");
        Deno.chmodSync(bed.config, 0o600);
        const { status, stderr } = await bed.reload();
        assert.equal(status, 1);
        assert.match(stderr, /^postprox: not reloaded: .*\/conf: .*[Pp]ermission denied.*\n$/);
        assert.equal(await bed.word(), "second");
        assert.ok(isAlive(bed.pid));
      } finally {
        await bed.stop();
      }
    },
  });
}
