// Listen mode as a whole: the way into the background, binding, sessions side by side, the bound on clients, and
// signals.

import assert from "node:assert/strict";
import { programWords } from "../e2e/program.ts";
import { freePort, isAlive, isListening, kill, Listening, runCommand, runProgram, Spawner } from "../e2e/start.ts";
import { isLeftOut } from "../needs.ts";
import { type Client, connectTo } from "../rig/client.ts";
import { until, within } from "../rig/wait.ts";
import { Server } from "../rig/server.ts";
import { type Bed, CONTENT, deliver, expectUsable, listNames, startMessage, table, withBed } from "./rig.ts";

/** The process that listens on a port, found through /proc. */
function listenerOf(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const row = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => Deno.readTextFileSync(path).split("\n"))
    .map((line) => line.trim().split(/\s+/)).find((field) => field[1]?.endsWith(local) && field[3] === "0A");
  assert.ok(row, `nobody listens on port ${port}`);
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      for (const fd of Deno.readDirSync(`/proc/${name}/fd`)) {
        if (Deno.readLinkSync(`/proc/${name}/fd/${fd.name}`) === `socket:[${row[9]}]`) return Number(name);
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error(`No process listens on port ${port}`);
}

/** Runs the program with -l, to the background; the process must be ended by its pid. */
async function background(
  bed: Bed,
  listen: string,
  port: number,
  body: (pid: number) => Promise<void>,
  options: readonly string[] = [],
): Promise<void> {
  const { status, stdout, stderr } = await runProgram([
    bed.fake.operand,
    "-l",
    listen,
    "-d",
    `${bed.dir}/spool`,
    `--log=${bed.dir}/log`,
    ...options,
  ]);
  assert.equal(status, 0, stderr);
  // No waiting here: the command returns only when connections are accepted.
  const pid = listenerOf(port);
  try {
    assert.equal(stdout + stderr, "");
    await body(pid);
  } finally {
    kill(pid, "SIGQUIT");
    await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
  }
}

for (
  const [name, listen] of [
    ["-l IP:PORT", (port: number) => `127.0.0.1:${port}`],
    ["-l PORT: 127.0.0.1", (port: number) => `${port}`],
  ] as const
) {
  Deno.test(`${name}: to the background, ready when the command returns`, () =>
    withBed(async (bed) => {
      const port = await freePort();
      await background(bed, listen(port), port, async (pid) => {
        assert.ok(isAlive(pid));
        const row = Deno.readTextFileSync("/proc/net/tcp").split("\n").find((line) =>
          line.includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A`)
        );
        assert.match(row ?? "", /0100007F:/, "it listens on 127.0.0.1");
        const client = await connectTo({ port });
        await client.expect(220);
        await expectUsable(client);
        await client.expect(221, "QUIT");
        await client.expectEnd();
        client.close();
      });
      assert.deepEqual(listNames(`${bed.dir}/spool`), []);
    }));
}

Deno.test("In the background it holds none of the starter's descriptors, and serves after the starter is gone", () =>
  withBed(async (bed) => {
    const port = await freePort();
    await background(bed, String(port), port, async (pid) => {
      // runProgram has read standard output and standard error to their ends, so nothing holds those pipes.
      const client = await connectTo({ port });
      await client.expect(220);
      client.close();
      assert.equal(Deno.readLinkSync(`/proc/${pid}/fd/0`), "/dev/null");
      const group = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]!.split(" ")[2];
      const ours = Deno.readTextFileSync("/proc/self/stat").split(") ")[1]!.split(" ")[2];
      assert.notEqual(group, ours, "a process group of its own");
    });
  }));

Deno.test("--pid-file has the process that serves, when the command returns, and is gone at its end", () =>
  withBed(async (bed) => {
    const port = await freePort();
    const file = `${bed.dir}/run.pid`;
    // A killed process has left one behind.
    Deno.writeTextFileSync(file, "1\n", { mode: 0o600 });
    const look = async (pid: number) => {
      assert.equal(Deno.readTextFileSync(file), `${pid}\n`);
      assert.equal(Deno.statSync(file).mode! & 0o777, 0o644);
      assert.deepEqual(listNames(bed.dir).filter((name) => name.startsWith("run.pid")), ["run.pid"]);
    };
    await background(bed, String(port), port, look, [`--pid-file=${file}`]);
    assert.deepEqual(listNames(bed.dir).filter((name) => name.startsWith("run.pid")), []);
  }));

Deno.test("--pid-file: the file of another process stays, and so does one that was killed", () =>
  withBed(async (bed) => {
    const file = `${bed.dir}/run.pid`;
    const args = [bed.fake.operand, "-d", `${bed.dir}/spool`, `--log=${bed.dir}/log`, `--pid-file=${file}`];
    const start = async () => {
      const program = await Listening.start(args);
      await until(() => Deno.readTextFileSync(file) === `${program.process.pid}\n`, () => "the file");
      return program;
    };
    Deno.writeTextFileSync(file, "");
    const first = await start();
    await first.stop("SIGKILL");
    assert.equal(Deno.readTextFileSync(file), `${first.process.pid}\n`);
    const second = await start();
    Deno.writeTextFileSync(file, "1\n");
    assert.equal(await second.stop(), 0);
    assert.equal(Deno.readTextFileSync(file), "1\n");
  }));

Deno.test("--pid-file: 75 and the reason if it cannot be written, and 64 in spawn mode", () =>
  withBed(async (bed) => {
    Deno.mkdirSync(`${bed.dir}/directory`);
    for (const foreground of [[], ["--foreground"]]) {
      for (const file of [`${bed.dir}/none/run.pid`, `${bed.dir}/directory`, "/dev/null", "/proc/run.pid"]) {
        const port = String(await freePort());
        const args = [bed.fake.operand, "-d", `${bed.dir}/spool`, `--log=${bed.dir}/log`, "-l", port, ...foreground];
        const { status, stdout, stderr } = await runProgram([...args, `--pid-file=${file}`]);
        assert.equal(status, 75, stderr);
        assert.equal(stdout, "");
        assert.match(
          stderr,
          /^postprox: option --pid-file: [^\n]*: give a file in a directory that can be written[^\n]*\n$/,
        );
        assert.ok(!isListening(Number(port)));
      }
    }
    assert.ok(Deno.statSync("/dev/null").isCharDevice);
    assert.deepEqual(listNames(`${bed.dir}/directory`), []);
    const { status, stderr } = await runProgram([bed.fake.operand, `--pid-file=${bed.dir}/run.pid`]);
    assert.equal(status, 64);
    assert.match(stderr, /^postprox: option --pid-file is for listen mode: [^\n]*\n$/);
  }));

Deno.test("--socket-mode has the permissions of the sockets of -l and --metrics, also with workers", () =>
  withBed(async (bed) => {
    const sockets = [`${bed.dir}/in`, `${bed.dir}/metrics`];
    for (const [mode, workers] of [["0640", []], ["660", ["--workers=1"]], [undefined, []]] as const) {
      const words = mode === undefined ? [] : [`--socket-mode=${mode}`];
      const at = ["-l", `unix:${sockets[0]}`, `--metrics=unix:${sockets[1]}`, `--pid-file=${bed.dir}/pid`];
      const options = [bed.fake.operand, "-d", `${bed.dir}/spool`, `--log=${bed.dir}/log`];
      const { status, stderr } = await runProgram([...options, ...at, ...workers, ...words]);
      assert.equal(status, 0, stderr);
      const pid = Number(Deno.readTextFileSync(`${bed.dir}/pid`));
      try {
        for (const path of sockets) assert.equal(Deno.statSync(path).mode! & 0o777, parseInt(mode ?? "0666", 8), path);
      } finally {
        kill(pid, "SIGTERM");
        await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
      }
    }
  }));

for (const foreground of [[], ["--foreground"]]) {
  const how = foreground.length ? "in the foreground" : "to the background";
  Deno.test(`A port that is taken (${how}): 75, and the reason on standard error`, () =>
    withBed(async (bed) => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const taken = listener.addr.port;
      const { status, stdout, stderr } = await runProgram([
        bed.fake.operand,
        ...foreground,
        "-l",
        `127.0.0.1:${taken}`,
        "-d",
        bed.dir,
        "--log=/dev/null",
      ]);
      assert.equal(status, 75);
      assert.equal(stdout, "");
      assert.match(stderr, new RegExp(`^[^\\n]*${taken}[^\\n]*\\n$`));
      assert.ok(!/\.ts:|^\s+at /m.test(stderr), stderr);
    }));

  Deno.test(`An address that is not ours (${how}): 75, and the reason on standard error`, () =>
    withBed(async (bed) => {
      const { status, stderr } = await runProgram([
        bed.fake.operand,
        ...foreground,
        "-l",
        "192.0.2.1:2525",
        "-d",
        bed.dir,
        "--log=/dev/null",
      ]);
      assert.equal(status, 75);
      assert.match(stderr, /^[^\n]*192\.0\.2\.1[^\n]*\n$/);
    }));
}

Deno.test("A syslog that takes no lines is reported once to the starter, and does not prevent service", () =>
  withBed(async (bed) => {
    const port = await freePort();
    const words = [bed.fake.operand, "-d", `${bed.dir}/spool`, `--log=syslog:${bed.dir}/nowhere`, "-l", String(port)];
    const { status, stdout, stderr } = await runProgram(words);
    assert.equal(status, 0, stderr);
    const pid = listenerOf(port);
    try {
      assert.equal(stdout, "");
      assert.match(stderr, new RegExp(`^postprox\\[${pid}\\]: error: syslog takes no lines reason="[^\\n]*/nowhere: `));
      assert.equal(stderr.match(/syslog takes no lines/g)!.length, 1, stderr);
      const client = await connectTo({ port });
      await client.expect(220);
      await expectUsable(client);
      client.close();
    } finally {
      kill(pid, "SIGQUIT");
      await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
    }
  }));

Deno.test("-l NAME:PORT listens at every address of the name, or at none", {
  ignore: isLeftOut("a name with several addresses"),
}, () =>
  withBed(async (bed) => {
    const port = await freePort();
    Deno.writeTextFileSync(`${bed.dir}/hosts`, "127.9.9.1 two.test\n127.9.9.2 two.test\n");
    // With a file of hosts of its own.
    const start = () => {
      const shell = 'mount --bind "$0" /etc/hosts && exec "$@"';
      const args = [bed.fake.operand, "-l", `two.test:${port}`, "-d", `${bed.dir}/spool`, `--log=${bed.dir}/log`];
      return runCommand(["unshare", "-m", "sh", "-c", shell, `${bed.dir}/hosts`, ...programWords(), ...args]);
    };
    const taken = Deno.listen({ hostname: "127.9.9.2", port });
    try {
      const { status, stderr } = await start();
      assert.equal(status, 75, stderr);
      assert.match(stderr, new RegExp(`127\\.9\\.9\\.2:${port}`));
    } finally {
      taken.close();
    }
    assert.ok(!isListening(port));
    const { status, stderr } = await start();
    assert.equal(status, 0, stderr);
    const pid = listenerOf(port);
    try {
      for (const hostname of ["127.9.9.1", "127.9.9.2", "127.9.9.1"]) {
        using conn = await Deno.connect({ hostname, port });
        const into = new Uint8Array(100);
        const count = await conn.read(into);
        assert.match(new TextDecoder().decode(into.subarray(0, count ?? 0)), /^220 /, hostname);
      }
    } finally {
      kill(pid, "SIGQUIT");
      await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
    }
  }));

/** Spellings of an address (`#` is the port) or of a path in `@`, for -l and for the server behind it. */
const OWN_SERVER: readonly (readonly [listen: string, server: string])[] = [
  ["127.0.0.1:#", "127.0.0.1:#"],
  ["#", "inet:127.0.0.1:#"],
  ["#", "localhost:#"],
  ["localhost:#", "127.0.0.1:#"],
  ["#", "127.1:#"],
  ["#", "[::ffff:127.0.0.1]:#"],
  ["[::1]:#", "localhost:#"],
  ["0.0.0.0:#", "127.0.0.1:#"],
  ["[::]:#", "127.0.0.1:#"],
  ["[::]:#", "[::1]:#"],
  ["0.0.0.0:#", "LOCALHOST.:#"],
  ["unix:@/new", "unix:@/new"],
  ["unix:@/new", "unix:@//./new"],
  ["unix:@/new", "unix:@/directory/../new"],
  ["unix:@/directory_link/new", "unix:@/new"],
  ["unix:@/new", "unix:@/new_link"],
  ["unix:@/server", "unix:@/./server"],
  ["unix:@/server", "unix:@/server_link"],
  ["unix:@/server_link", "unix:@/server"],
];

Deno.test("-l at the address of HOST:PORT in any spelling is wrong use, and nothing is started or left", async (test) => {
  const dir = Deno.makeTempDirSync({ prefix: "postprox_test_" });
  const server = await Server.start({ path: `${dir}/server` });
  try {
    Deno.mkdirSync(`${dir}/directory`);
    Deno.symlinkSync(dir, `${dir}/directory_link`);
    Deno.symlinkSync("new", `${dir}/new_link`);
    Deno.symlinkSync("server", `${dir}/server_link`);
    const names = listNames(dir);
    for (const words of OWN_SERVER) {
      await test.step(words.join(" and "), async () => {
        const port = String(await freePort());
        const [listen = "", operand = ""] = words.map((word) => word.replace("#", port).replace("@", dir));
        for (const foreground of [[], ["--foreground"]]) {
          const { status, stdout, stderr } = await runProgram([
            "--log=/dev/null",
            "-l",
            listen,
            operand,
            ...foreground,
          ]);
          assert.equal(status, 64, stderr);
          assert.equal(stdout, "");
          assert.match(
            stderr,
            /^postprox: option -l, --listen: [^\n]* its own server[^\n]*: give -l another address\n$/,
          );
        }
        assert.ok(!isListening(Number(port)));
        assert.deepEqual(listNames(dir), names);
      });
    }
  } finally {
    await server.stop();
    Deno.removeSync(dir, { recursive: true });
  }
});

table("Sessions side by side", { filter: true, modes: ["listen"] }, [
  {
    name: "a filter that sleeps in one delays no other",
    filter: `grep -q slow "$EMAIL" || exit 0
echo yes > "$D/running"; while [ ! -e "$D/go" ]; do sleep 0.05; done`,
    play: async (talk) => {
      const slow = await talk.open();
      await startMessage(slow);
      await slow.say("slow\r\n.\r\n");
      await talk.file("running");
      for (let i = 0; i < 5; i++) {
        const other = await talk.open();
        assert.equal((await deliver(other, `other ${i}\r\n`)).code, 250);
        await other.expect(221, "QUIT");
      }
      assert.equal(slow.unheard, "");
      Deno.writeTextFileSync(`${talk.dir}/go`, "");
      await slow.expect(250);
      assert.equal(talk.downstream.messages.length, 6);
    },
  },
  {
    name: "a client that says nothing delays no other, and neither does one in mid-message or mid-command",
    play: async (talk) => {
      await talk.connect();
      const half = await talk.open();
      await startMessage(half);
      await half.say("half a mess");
      const word = await talk.open();
      await word.say("MAI");
      const other = await talk.open();
      assert.equal((await deliver(other)).code, 250);
      await half.say("age\r\n.\r\n");
      await half.expect(250);
      await word.say("L FROM:<a@example.org>\r\n");
      await word.expect(250);
    },
  },
  {
    name: "a downstream that is slow in one delays no other",
    play: async (talk) => {
      const slow = await talk.open();
      const other = await talk.open();
      const answered = Promise.withResolvers<void>();
      talk.downstream.set("VRFY", { reply: "252 at last", after: answered.promise });
      await slow.say("VRFY x\r\n");
      await talk.downstream.until((fake) => fake.verbs.includes("VRFY"), "VRFY");
      assert.equal((await deliver(other)).code, 250);
      answered.resolve();
      await slow.expect(252);
    },
  },
  {
    name: "20 sessions at once, each with its own message, envelope and verdict",
    filter: `n=$(sed -n 's/^Number: //p' "$EMAIL"); echo "$n $SENDER $RECIPIENT" >> "$D/seen"
[ $((n % 2)) = 0 ] || { echo "550 5.7.1 odd $n" >&2; exit 1; }`,
    play: async (talk) => {
      const one = async (i: number) => {
        const client = await talk.open();
        const reply = await deliver(client, `Number: ${i}\r\n\r\n${"x\r\n".repeat(i * 100)}`, {
          from: `s${i}@example.org`,
          to: [`r${i}@example.net`],
        });
        if (i % 2) assert.equal(reply.raw, `550 5.7.1 odd ${i}\r\n`);
        else assert.equal(reply.code, 250);
        await client.expect(221, "QUIT");
      };
      await Promise.all(Array.from({ length: 20 }, (_, i) => one(i)));
      const seen = (await talk.file("seen")).trim().split("\n").sort();
      assert.deepEqual(seen, Array.from({ length: 20 }, (_, i) => `${i} s${i}@example.org r${i}@example.net`).sort());
      for (const session of talk.downstream.sessions) {
        const from = session.lines.find((line) => line.startsWith("MAIL"))!;
        const number = /s([0-9]+)@/.exec(from)![1]!;
        assert.equal(session.messages.length, Number(number) % 2 ? 0 : 1);
        for (const message of session.messages) assert.ok(message.text.startsWith(`Number: ${number}\r\n`));
      }
    },
  },
  {
    name: "100 sessions one after the other",
    play: async (talk) => {
      for (let i = 0; i < 100; i++) {
        const client = await talk.connect();
        await client.expect(220);
        await client.expect(221, "QUIT");
        await client.expectEnd();
        client.close();
      }
    },
  },
  {
    name: "no descriptor is lost with the sessions",
    play: async (talk) => {
      const count = () => listNames(`/proc/${talk.process.pid}/fd`).length;
      const session = async (leave: (client: Client) => void) => {
        const client = await talk.open();
        await deliver(client);
        await startMessage(client);
        leave(client);
        await talk.downstream.until((fake) => fake.sessions.every((one) => one.gone), "the end of the session");
      };
      await session((client) => client.close());
      const before = count();
      for (let i = 0; i < 10; i++) await session((client) => i % 2 ? client.close() : client.reset());
      await until(() => count() <= before + 2, () => `${before} open descriptors; there are ${count()}`);
    },
  },
]);

table("--max-clients", { filter: true, modes: ["listen"], options: () => ["--max-clients=2"] }, [
  {
    name: "one more hears 421 and is let go; when one leaves, the next is served",
    play: async (talk) => {
      const first = await talk.open();
      const second = await talk.open();
      const third = await talk.connect();
      await third.expect(421);
      await third.expectEnd();
      await expectUsable(second);
      await first.expect(221, "QUIT");
      await first.expectEnd();
      first.close();
      // The place is free as soon as the program has seen the end of that session.
      let served = false;
      await until(async () => {
        const next = await talk.connect();
        served = (await next.hear()).code === 220;
        if (!served) next.close();
        return served;
      }, () => "a free place");
    },
  },
]);

/** The ways to end all sessions at once: signals, and options. */
const ENDS: readonly (readonly [signals: readonly Deno.Signal[], options: readonly string[]])[] = [
  [["SIGQUIT"], []],
  [["SIGTERM", "SIGTERM"], []],
  [["SIGINT", "SIGTERM"], []],
  [["SIGTERM"], ["--drain-timeout=0.1"]],
];

for (const [signals, options] of ENDS) {
  Deno.test(`${[...signals, ...options].join(" ")} ends the program in listen mode, and leaves no spool file`, () =>
    withBed(async (bed) => {
      const filter = `echo $$ > ${bed.dir}/pid; while :; do sleep 0.05; done`;
      const program = await Listening.start([
        bed.fake.operand,
        "-d",
        `${bed.dir}/spool`,
        `--log=${bed.dir}/log`,
        "-c",
        filter,
        "-v",
        ...options,
      ]);
      try {
        const idle = (await program.connect()).client;
        await idle.expect(220);
        const inData = (await program.connect()).client;
        await inData.expect(220);
        await startMessage(inData);
        await inData.say("Subject: half\r\n");
        const inFilter = (await program.connect()).client;
        await inFilter.expect(220);
        await startMessage(inFilter);
        await inFilter.say(`${CONTENT}.\r\n`);
        const file = `${bed.dir}/pid`;
        const written = () => /^[0-9]+\n$/.test(readOr(file));
        await until(written, () => "the filter");
        const filterPid = Number(readOr(file));
        for (const signal of signals) {
          kill(program.process.pid, signal);
          await until(() => readOr(`${bed.dir}/log`).includes(`signal=${signal} `), () => `a line about ${signal}`);
        }
        await within(program.process.ended, () => "the end of the program");
        await until(() => !isAlive(filterPid), () => "the end of the filter").finally(() => kill(filterPid));
        assert.deepEqual(listNames(`${bed.dir}/spool`), []);
        assert.deepEqual(bed.fake.messages, []);
        for (const client of [idle, inData, inFilter]) {
          const said = await client.end();
          assert.match(said, /^(4[25]1 [^\r\n]*\r\n)*$/, "nothing but 421 or 451");
          client.close();
        }
      } finally {
        kill(program.process.pid);
      }
    }));
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`After ${signal}, sessions and filters of listen mode go on to their end, and nobody new is taken`, () =>
    withBed(async (bed) => {
      const filter = `echo $$ > ${bed.dir}/pid; while ! test -e ${bed.dir}/go; do sleep 0.05; done`;
      const spool = `${bed.dir}/spool`;
      const options = ["-d", spool, `--log=${bed.dir}/log`, "-c", filter];
      const program = await Listening.start([bed.fake.operand, ...options]);
      try {
        const clients = [];
        for (let count = 0; count < 3; count++) {
          const { client } = await program.connect();
          await client.expect(220);
          clients.push(client);
        }
        const [idle, inData, inFilter] = clients as [Client, Client, Client];
        await startMessage(inData);
        await inData.say("Subject: half\r\n");
        await startMessage(inFilter);
        await inFilter.say(`${CONTENT}.\r\n`);
        await until(() => /^[0-9]+\n$/.test(readOr(`${bed.dir}/pid`)), () => "the filter");
        kill(program.process.pid, signal);
        await until(() => !isListening(program.port), () => "the port to be closed");
        Deno.writeTextFileSync(`${bed.dir}/go`, "");
        await inFilter.expect(250);
        await inData.say("\r\nx\r\n.\r\n");
        await inData.expect(250);
        // A session that was idle may even begin a message.
        assert.equal((await deliver(idle, CONTENT)).code, 250);
        assert.equal(bed.fake.messages.length, 3);
        assert.ok(isAlive(program.process.pid));
        for (const client of [inFilter, inData, idle]) {
          await client.expect(221, "QUIT");
          await client.expectEnd();
          client.close();
        }
        assert.equal(await within(program.process.ended, () => "the end of the program"), 0);
        assert.deepEqual(listNames(spool), []);
      } finally {
        kill(program.process.pid);
      }
    }));
}

Deno.test("The next start removes what a SIGKILL left behind, and nothing else", () =>
  withBed(async (bed) => {
    const args = [bed.fake.operand, "-d", `${bed.dir}/spool`, `--log=${bed.dir}/log`, "-c", "true"];
    Deno.writeTextFileSync(`${bed.dir}/spool/somebody_elses`, "not ours");
    const first = await Listening.start(args);
    const client = (await first.connect()).client;
    await client.expect(220);
    await startMessage(client);
    await client.say("Subject: half\r\n".repeat(20_000));
    // The mark is there first, and at that moment it has no text.
    const hasMessage = () => listNames(`${bed.dir}/spool`).some((name) => name.endsWith(".eml"));
    await until(hasMessage, () => "a spool file");
    await first.stop("SIGKILL");
    client.close();
    assert.ok(hasMessage(), "SIGKILL leaves the spool file");
    const second = await Listening.start(args);
    try {
      const swept = () => String(listNames(`${bed.dir}/spool`)) === "somebody_elses";
      await until(swept, () => `an empty spool; it has ${listNames(`${bed.dir}/spool`)}`);
    } finally {
      await second.stop();
    }
  }));

/** The program as the first process of a pid namespace, as in a container. */
const CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** The same on what calls itself another host: `boot` is a file with the id of its boot. */
function otherHost(boot: string): string[] {
  return [...CONTAINER, "sh", "-c", `mount --bind ${boot} /proc/sys/kernel/random/boot_id && exec "$@"`, "sh"];
}

Deno.test(
  "Two containers or hosts share a spool: neither removes files in use by the other, and those of a killed one go",
  {
    ignore: isLeftOut("containers that share a spool"),
  },
  () =>
    withBed(async (bed) => {
      const spool = `${bed.dir}/spool`;
      // It waits with its files open, then looks for them. Its arguments may be elsewhere by then.
      const filter = `mv "$OUTFILE" "$OUTFILE.mine"; sed s/half/whole/ "$EMAIL" > "$OUTFILE.mine"
      mv "$OUTFILE.mine" "$OUTFILE"; echo >> ${bed.dir}/waiting; while [ ! -e ${bed.dir}/go ]; do sleep 0.05; done
      cat "$EMAIL" >/dev/null || exit 75`;
      const args = [bed.fake.operand, "-d", spool, `--log=${bed.dir}/log`, "-r", "-c", filter];
      const waiting = (count: number) =>
        until(() => readOr(`${bed.dir}/waiting`).length === count, () => `filter number ${count}`);
      const first = await Listening.start(args, {}, CONTAINER);
      try {
        const client = (await first.connect()).client;
        await client.expect(220);
        await startMessage(client);
        await client.say("Subject: half\r\n.\r\n");
        await waiting(1);
        const inUse = listNames(spool);
        assert.ok(inUse.length >= 2, String(inUse));

        // Each has process id 1, as the first one has.
        const second = await Listening.start(args, {}, CONTAINER);
        assert.deepEqual(listNames(spool), inUse);
        const other = (await second.connect()).client;
        await other.expect(220);
        await startMessage(other);
        await other.say("Subject: never\r\n.\r\n");
        await waiting(2);
        await second.stop("SIGKILL");
        other.close();
        const left = listNames(spool);
        assert.ok(left.length > inUse.length, "SIGKILL leaves spool files");

        // Another host cannot know of either. In whatever container, the next start on this host knows.
        Deno.writeTextFileSync(`${bed.dir}/boot`, `${crypto.randomUUID()}\n`);
        await (await Listening.start(args, {}, otherHost(`${bed.dir}/boot`))).stop();
        assert.deepEqual(listNames(spool), left);
        for (const under of [CONTAINER, []]) await (await Listening.start(args, {}, under)).stop();
        assert.deepEqual(listNames(spool), inUse);

        Deno.writeTextFileSync(`${bed.dir}/go`, "");
        await client.expect(250);
        assert.equal(bed.fake.messages.at(-1)?.text, "Subject: whole\r\n");
        client.close();
        await until(() => listNames(spool).length === 0, () => `an empty spool; it has ${listNames(spool)}`);
      } finally {
        await first.stop();
      }
    }),
);

Deno.test("The next start of listen mode removes what a killed process of spawn mode left behind", () =>
  withBed(async (bed) => {
    const spool = `${bed.dir}/spool`;
    const filter = `echo $$ > ${bed.dir}/pid; while [ -e ${bed.dir}/pid ]; do sleep 0.05; done`;
    const args = [bed.fake.operand, "-d", spool, `--log=${bed.dir}/log`, "-c", filter];
    const spawner = await Spawner.start();
    try {
      await spawner.use(args);
      const { client, process } = await spawner.connect();
      await client.expect(220);
      await startMessage(client);
      await client.say(`${CONTENT}.\r\n`);
      await until(() => readOr(`${bed.dir}/pid`) !== "", () => "the filter");
      const inUse = listNames(spool);
      await (await Listening.start(args)).stop();
      assert.deepEqual(listNames(spool), inUse);
      kill(process.pid);
      await within(process.ended, () => "the end of the program");
      client.close();
      assert.deepEqual(listNames(spool), inUse);
      await (await Listening.start(args)).stop();
      assert.deepEqual(listNames(spool), []);
    } finally {
      Deno.removeSync(`${bed.dir}/pid`);
      await spawner.stop();
    }
  }));

Deno.test("The sweep leaves the files of a program that runs", () =>
  withBed(async (bed) => {
    const args = [bed.fake.operand, "-d", `${bed.dir}/spool`, `--log=${bed.dir}/log`, "-c", "true"];
    const first = await Listening.start(args);
    const client = (await first.connect()).client;
    try {
      await client.expect(220);
      await startMessage(client);
      await client.say("Subject: half\r\n".repeat(20_000));
      const isThere = () => listNames(`${bed.dir}/spool`).some((name) => name.endsWith(".eml"));
      await until(isThere, () => "a spool file");
      const before = listNames(`${bed.dir}/spool`);
      const second = await Listening.start(args);
      await second.stop();
      assert.deepEqual(listNames(`${bed.dir}/spool`), before);
      await client.say(".\r\n");
      await client.expect(250);
      assert.equal(bed.fake.messages[0]?.text, "Subject: half\r\n".repeat(20_000));
      client.close();
    } finally {
      await first.stop();
    }
  }));

Deno.test("A port is free again after the end", () =>
  withBed(async (bed) => {
    const program = await Listening.start([bed.fake.operand, "-d", bed.dir, `--log=${bed.dir}/log`]);
    const client = (await program.connect()).client;
    await client.expect(220);
    await program.stop();
    assert.ok(!isListening(program.port));
    const { status, stderr } = await runProgram([
      bed.fake.operand,
      "-l",
      String(program.port),
      "-d",
      bed.dir,
      `--log=${bed.dir}/log`,
    ]);
    assert.equal(status, 0, stderr);
    const pid = listenerOf(program.port);
    kill(pid, "SIGQUIT");
    await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
    client.close();
  }));

function readOr(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
