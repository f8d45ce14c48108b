// --user: a program that root starts, its threads, filters and helpers, and what belongs to whom. Needs root.

import assert from "node:assert/strict";
import { isAlive, isListening, kill, Listening, runCommand, runProgram } from "../e2e/start.ts";
import { programWords, reachableProgram } from "../e2e/program.ts";
import { isLeftOut } from "../needs.ts";
import { connectTo } from "../rig/client.ts";
import { Server } from "../rig/server.ts";
import { freePort } from "../rig/ports.ts";
import { until, within } from "../rig/wait.ts";
import { deliver, listNames, read } from "./rig.ts";

/** A user that every host has, without rights. */
const USER = "nobody";

// Groups of root's process that the user has not.
const ROOTS_GROUPS = ["/usr/bin/setpriv", "--groups", "0,4,27"];

interface Bed {
  readonly fake: Server;
  /** Others may look into it. */
  readonly dir: string;
  readonly uid: number;
  readonly gid: number;
  /** The options of most tests: the spool belongs to the user. */
  readonly args: readonly string[];
}

async function idOf(...words: string[]): Promise<number> {
  return Number((await runCommand(["id", ...words, USER])).stdout);
}

async function withBed(body: (bed: Bed) => Promise<void>): Promise<void> {
  const fake = await Server.start();
  const [uid, gid] = [await idOf("-u"), await idOf("-g")];
  const dir = Deno.makeTempDirSync({ dir: "/tmp", prefix: "postprox_test_" });
  Deno.chmodSync(dir, 0o755);
  for (const name of ["spool", "seen"]) {
    Deno.mkdirSync(`${dir}/${name}`, { mode: 0o700 });
    Deno.chownSync(`${dir}/${name}`, uid, gid);
  }
  // It leaves its own ids for the test.
  Deno.writeTextFileSync(`${dir}/filter`, `#!/bin/sh\ncp /proc/self/status ${dir}/seen/$1\n`, { mode: 0o755 });
  const args = [fake.operand, "-d", `${dir}/spool`, `--log=${dir}/log`, "-v"];
  try {
    await body({ fake, dir, uid, gid, args });
  } finally {
    await fake.stop();
    Deno.removeSync(dir, { recursive: true });
  }
}

/** The ids and rights of a thread, as the file `status` of proc(5) has them. */
function idsIn(status: string): Record<string, string> {
  const names = ["Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapAmb"];
  return Object.fromEntries(names.map((name) => {
    const value = new RegExp(`^${name}:[ \\t]*(.*?) *$`, "m").exec(status)?.[1] ?? "";
    return [name, value.replaceAll("\t", " ")];
  }));
}

function idsOf({ uid, gid }: Bed, groups = `${gid}`): Record<string, string> {
  const none = "0000000000000000";
  const four = (id: number) => Array(4).fill(id).join(" ");
  return { Uid: four(uid), Gid: four(gid), Groups: groups, CapPrm: none, CapEff: none, CapAmb: none };
}

function assertThreads(pid: number, ids: Record<string, string>): void {
  const threads = listNames(`/proc/${pid}/task`);
  assert.ok(threads.length > 1);
  for (const thread of threads) {
    const status = read(`/proc/${pid}/task/${thread}/status`);
    if (status !== "") assert.deepEqual(idsIn(status), ids);
  }
}

const ignore = isLeftOut("a program that gives up root");

Deno.test({
  name: "--user: the process, a filter and a helper have the ids of the user, its groups only, and nothing of root",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      const { dir, args, fake } = bed;
      const helper = `/bin/sh ${dir}/helper`;
      Deno.writeTextFileSync(
        `${dir}/helper`,
        `cp /proc/self/status ${dir}/seen/helper\nwhile read -r line; do id="\${line#*:}"; echo "{\\"id\\":\${id%%,*},\\"exit\\":0}"; done\n`,
      );
      const [program, ...words] = [...ROOTS_GROUPS, ...programWords()];
      const port = await freePort();
      const child = new Deno.Command(program!, {
        args: [
          ...words,
          ...args,
          "--foreground",
          "-l",
          `127.0.0.1:${port}`,
          `--user=${USER}`,
          "-c",
          `${dir}/filter filter`,
          `--helper=${helper}`,
          "--helpers=1",
          `--pid-file=${dir}/pid`,
        ],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        // The helper is started last.
        await until(
          () => read(`${dir}/seen/helper`).includes("nonvoluntary"),
          () => `the helper: ${read(`${dir}/log`)}`,
        );
        assertThreads(child.pid, idsOf(bed));
        const client = await connectTo({ port });
        await client.expect(220);
        await client.expect(250, "EHLO client.example");
        assert.equal((await deliver(client)).code, 250);
        await client.expect(221, "QUIT");
        client.close();
        assert.equal(fake.messages.length, 1);
        for (const name of ["filter", "helper"]) assert.deepEqual(idsIn(read(`${dir}/seen/${name}`)), idsOf(bed), name);
        // New threads have come meanwhile.
        assertThreads(child.pid, idsOf(bed));
        assert.match(read(`${dir}/log`), / notice: listening [^\n]* user=nobody /);
        assert.doesNotMatch(read(`${dir}/log`), / (?:warning|error): /);
        const owner = (name: string) => Deno.statSync(`${dir}/${name}`).uid;
        assert.deepEqual([owner("log"), owner("pid")], [bed.uid, 0]);
        assert.equal(read(`${dir}/pid`), `${child.pid}\n`);
        // A rotation, as logrotate does it for this user.
        Deno.renameSync(`${dir}/log`, `${dir}/log.1`);
        Deno.writeTextFileSync(`${dir}/log`, "");
        Deno.chownSync(`${dir}/log`, bed.uid, bed.gid);
        kill(child.pid, "SIGHUP");
        await until(() => read(`${dir}/log`).includes(" listening "), () => `the new log: ${read(`${dir}/log.1`)}`);
        kill(child.pid, "SIGTERM");
        assert.equal((await child.status).code, 0);
        // The directory is root's.
        assert.equal(read(`${dir}/pid`), `${child.pid}\n`);
      } finally {
        kill(child.pid);
        await child.status;
      }
    }),
});

Deno.test({
  name: "--user: the user's further groups",
  ignore: isLeftOut("a user with more groups"),
  fn: () =>
    withBed(async (bed) => {
      const { dir, args } = bed;
      Deno.writeTextFileSync(
        `${dir}/group`,
        `root:x:0:\nnogroup:x:${bed.gid}:\nmore:x:12345:someone,${USER}\nother:x:12346:root\n`,
      );
      const under = ["unshare", "--mount", "--fork", "--kill-child", "sh", "-c"];
      const words = [...under, 'mount --bind "$0" /etc/group && exec "$@"', `${dir}/group`, ...ROOTS_GROUPS];
      const program = await Listening.start([...args, `--user=${USER}`], {}, words);
      try {
        await until(() => read(`${dir}/log`).includes(" listening "), "the first line of the log");
        assertThreads(program.process.pid, idsOf(bed, [12345, bed.gid].join(" ")));
      } finally {
        await program.stop();
      }
    }),
});

Deno.test({
  name: "--user: the service manager hears of the start from that user's process",
  ignore,
  fn: () =>
    withBed(async ({ args }) => {
      const name = `postprox-test-${crypto.randomUUID()}`;
      const socket = Deno.listenDatagram({ transport: "unixpacket", path: `\0${name}` });
      const program = await Listening.start([...args, `--user=${USER}`], { NOTIFY_SOCKET: `@${name}` });
      try {
        const [octets] = await within(socket.receive(), () => "READY=1");
        assert.match(new TextDecoder().decode(octets), new RegExp(`^READY=1\\nMAINPID=${program.process.pid}\\n`));
      } finally {
        await program.stop();
        socket.close();
      }
    }),
});

Deno.test({
  name: "--user: a supervisor, its workers, and workers that a SIGHUP brings",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      const { dir, args, fake } = bed;
      // Only root may read it. Workers need it.
      Deno.writeTextFileSync(`${dir}/rules`, "allow:ALL:ALL:ALL\n", { mode: 0o600 });
      const port = await freePort();
      const [program, ...words] = reachableProgram(bed.dir);
      const options = ["--workers=2", `--user=${USER}`, `--check-rules=${dir}/rules`, "-c", `${dir}/filter filter`];
      const child = new Deno.Command(program!, {
        args: [...words, "--foreground", "-l", String(port), ...args, ...options],
        env: { DENO_DIR: `${dir}/seen` },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      const workers = () => read(`/proc/${child.pid}/task/${child.pid}/children`).trim().split(" ");
      try {
        await until(() => read(`${dir}/log`).includes(" listening "), () => `the start: ${read(`${dir}/log`)}`);
        assertThreads(child.pid, idsOf(bed));
        const first = workers();
        assert.equal(first.length, 2);
        for (const worker of first) assertThreads(Number(worker), idsOf(bed));
        const client = await connectTo({ port });
        await client.expect(220);
        assert.equal((await deliver(client)).code, 250);
        await client.expect(221, "QUIT");
        client.close();
        assert.equal(fake.messages.length, 1);
        assert.deepEqual(idsIn(read(`${dir}/seen/filter`)), idsOf(bed));
        assert.match(read(`${dir}/log`), / warning: SIGHUP will fail, [^\n]*\/rules/);
        // That user may read it now.
        Deno.chmodSync(`${dir}/rules`, 0o644);
        kill(child.pid, "SIGHUP");
        const isRenewed = () => workers().length === 2 && workers().every((worker) => !first.includes(worker));
        await until(isRenewed, () => `new workers: ${read(`${dir}/log`)}`);
        for (const worker of workers()) assertThreads(Number(worker), idsOf(bed));
        kill(child.pid, "SIGTERM");
        assert.equal((await child.status).code, 0);
      } finally {
        kill(child.pid);
        await child.status;
      }
    }),
});

/** A free port that only root may listen on. */
function lowPort(): number {
  for (let port = 1023; port > 600; port--) if (!isListening(port)) return port;
  throw new Error("no port below 1024 is free");
}

Deno.test({
  name: "--user: in the background, at a port that only root may use, by a number",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      const port = lowPort();
      const options = ["-l", String(port), `--user=${bed.uid}`, `--pid-file=${bed.dir}/pid`];
      const { status, stderr } = await runProgram([...bed.args, ...options]);
      assert.equal(status, 0, stderr);
      const pid = Number(read(`${bed.dir}/pid`));
      try {
        assertThreads(pid, idsOf(bed));
        const client = await connectTo({ port });
        await client.expect(220);
        client.close();
      } finally {
        kill(pid, "SIGTERM");
        await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
      }
    }),
});

Deno.test({
  name: "--user: a unix socket and its group, and its name that stays is taken over",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      const path = `${bed.dir}/socket`;
      const program = reachableProgram(bed.dir);
      const run = async (...workers: string[]) => {
        const options = [
          ...workers,
          "-l",
          `unix:${path}`,
          `--metrics=unix:${path}.m`,
          "--socket-mode=0660",
          `--user=${USER}`,
          `--pid-file=${bed.dir}/pid`,
        ];
        const { status, stderr } = await runCommand([...program, ...bed.args, ...options]);
        assert.equal(status, 0, stderr);
        const pid = Number(read(`${bed.dir}/pid`));
        for (const socket of [path, `${path}.m`]) {
          const { uid, gid, mode } = Deno.lstatSync(socket);
          assert.deepEqual([uid, gid, mode! & 0o777], [bed.uid, bed.gid, 0o660]);
        }
        kill(pid, "SIGTERM");
        await until(() => !isAlive(pid), () => `the end of process ${pid}`).finally(() => kill(pid));
      };
      await run();
      await run();
      await run("--workers=2");
      await run("--workers=2");
    }),
});

Deno.test({
  name: "--user: a directory that the user cannot write to prevents the start, and so does a user that is not there",
  ignore,
  fn: () =>
    withBed(async ({ dir, args, fake }) => {
      Deno.mkdirSync(`${dir}/roots`, { mode: 0o700 });
      const rows: readonly [words: string[], status: number, said: RegExp][] = [
        [["-d", `${dir}/roots`, `--user=${USER}`], 75, /-d, --tempdir: .*Permission denied|-d, --tempdir: .*EACCES/i],
        [[`--quarantine=${dir}/roots`, `--user=${USER}`], 75, /--quarantine: /],
        [["--user=nosuchuser"], 64, /--user: this host has no user "nosuchuser": /],
        [["--user="], 64, /--user: "" is no user name: /],
      ];
      for (const how of [["--foreground"], [], ["--check-config"]]) {
        for (const [words, expected, said] of rows) {
          const port = String(await freePort());
          const { status, stdout, stderr } = await runProgram([...args, ...how, "-l", port, ...words]);
          assert.equal(status, expected, stderr);
          assert.match(stderr, new RegExp(`^postprox: option (?:${said.source})[^\\n]*\\n$`, "i"));
          assert.equal(stdout, "");
          assert.ok(!isListening(Number(port)));
        }
      }
      const spawn = await runProgram([fake.operand, `--user=${USER}`]);
      assert.equal(spawn.status, 64);
      assert.match(spawn.stderr, /^postprox: option --user is for listen mode: [^\n]*\n$/);
    }),
});

Deno.test({
  name: "--user: only root can become another user, and that user itself gives up nothing",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      Deno.mkdirSync(`${bed.dir}/cache`);
      Deno.chownSync(`${bed.dir}/cache`, bed.uid, bed.gid);
      const under = [
        "env",
        `DENO_DIR=${bed.dir}/cache`,
        "setpriv",
        `--reuid=${bed.uid}`,
        `--regid=${bed.gid}`,
        "--clear-groups",
      ];
      const args = [...bed.args, `--log=${bed.dir}/seen/log`, "--foreground", "-l", String(await freePort())];
      const { status, stderr } = await runCommand([...under, ...programWords(), ...args, "--user=root"]);
      assert.equal(status, 64, stderr);
      assert.match(stderr, /^postprox: option --user: only root can become "root": [^\n]*\n$/);
      const [program, ...words] = [...under, ...programWords(), ...args, `--user=${USER}`];
      const child = new Deno.Command(program!, { args: words, stdin: "null", stdout: "null", stderr: "null" }).spawn();
      try {
        await until(() => read(`${bed.dir}/seen/log`).includes(" listening "), "the first line of the log");
        assert.doesNotMatch(read(`${bed.dir}/seen/log`), / (?:warning|error): /);
      } finally {
        kill(child.pid, "SIGTERM");
        await child.status;
      }
    }),
});

Deno.test({
  name: "root without --user, and a spool directory that everybody may change: warnings",
  ignore,
  fn: () =>
    withBed(async (bed) => {
      const open = /warning: every user can remove and replace files in the spool directory: [^\n]* directory=/;
      for (const [mode, warns] of [[0o777, true], [0o1777, false], [0o770, false]] as const) {
        Deno.chmodSync(`${bed.dir}/spool`, mode);
        const program = await Listening.start([...bed.args, `--log=${bed.dir}/log.${mode}`]);
        const log = () => read(`${bed.dir}/log.${mode}`);
        await until(() => /run as root: give --user=NAME/.test(log()), () => `a warning in ${log()}`);
        assert.equal(open.test(log()), warns, log());
        await program.stop();
      }
    }),
});
