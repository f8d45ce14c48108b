// Tests of --user: what root does first, what that user does, and what prevents the start.

import assert from "node:assert/strict";
import { run } from "../../lib/app.ts";
import { bytesOf } from "../../lib/text/octets.ts";
import type { FakeTalkingChild } from "../fakes/processes.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";
import { until } from "../rig/wait.ts";

const SERVE = ["mx:26", "-l", "25", "--foreground", "--user=postprox", "-v"];

/** Root's process on a host with the user `postprox`. */
function rootsRuntime(id = 0): FakeRuntime {
  const runtime = new FakeRuntime();
  runtime.privileges.id = id;
  runtime.files.mkdir("/run");
  runtime.files.replace("/etc/passwd", bytesOf("postprox:x:998:997::/:/bin/false\nroot:x:0:0::/:/bin/sh\n"));
  runtime.processes.onStart = (child) => {
    if (child.words[0] !== "getent") return;
    (child as FakeTalkingChild).closeStdout();
    child.exit(127);
  };
  return runtime;
}

async function started(runtime: FakeRuntime, args: readonly string[]): Promise<Promise<number>[]> {
  const running = run(runtime, args);
  await Promise.race([running, until(() => runtime.out !== "", () => "connections are accepted")]);
  await settled();
  return [running];
}

Deno.test("root opens the address, the log, the rules and the pid file, and that user does everything else", async () => {
  const runtime = rootsRuntime();
  runtime.files.mkdir("/spool");
  runtime.files.mkdir("/kept");
  runtime.files.replace("/rules", bytesOf("allow:ALL:ALL:ALL\n"));
  const { become } = runtime.privileges;
  let asRoot: string[] = [];
  runtime.privileges.become = async (account) => {
    assert.equal(runtime.network.listeners.length, 1);
    assert.deepEqual(runtime.processes.children.map(({ words: [program] }) => program), ["getent"]);
    asRoot = runtime.files.operations.splice(0);
    await become.call(runtime.privileges, account);
  };
  const options = ["-d", "/spool", "--quarantine=/kept", "--check-rules=/rules", "--log=/log", "--pid-file=/run/pid"];
  const [running] = await started(runtime, [...SERVE, ...options, "--helper=/helper"]);
  for (const opened of ["openLog /log", "open /rules", "rename /run/pid"]) assert.ok(asRoot.includes(opened), opened);
  // The quarantine is looked at twice.
  assert.deepEqual(asRoot.filter((operation) => operation.includes(" /spool/")), []);
  const { operations } = runtime.files;
  for (const directory of ["/spool", "/kept"]) {
    assert.ok(operations.some((operation) => operation.startsWith(`create ${directory}/`)), operations.join());
  }
  assert.ok(operations.includes("list /spool"));
  const words = runtime.processes.children.map(({ words }) => words.at(-1));
  assert.deepEqual(words, ["postprox", "/helper", "/helper"]);
  assert.deepEqual(runtime.privileges.deeds, ["give /log to postprox", "become postprox"]);
  runtime.signal("SIGTERM");
  await settled();
  for (const child of runtime.processes.children) child.exit(0);
  assert.equal(await running, 0);
});

Deno.test("a unix socket belongs to that user, and a log file that is there already stays whose it is", async () => {
  const runtime = rootsRuntime();
  runtime.files.replace("/log", bytesOf("a line\n"));
  const [running] = await started(runtime, [...SERVE, "-l", "unix:/run/in", "--log=/log"]);
  assert.deepEqual(runtime.privileges.deeds, ["give /run/in to postprox", "become postprox"]);
  runtime.signal("SIGTERM");
  assert.equal(await running, 0);
});

Deno.test("a log file that is another user's link prevents the start", async () => {
  const runtime = rootsRuntime();
  runtime.files.replace("/log", bytesOf(""), "link");
  runtime.files.giveAway("/log");
  assert.equal(await run(runtime, [...SERVE, "--log=/log"]), 64);
  assert.match(runtime.err, /^postprox: option --log: "\/log" is a link of another user: [^\n]*\n$/);
});

Deno.test("the log names each file that SIGHUP opens again and that user cannot open", async () => {
  const runtime = rootsRuntime();
  for (const path of ["/rules", "/content"]) runtime.files.replace(path, bytesOf("#\n"));
  const { become } = runtime.privileges;
  runtime.privileges.become = async (account) => {
    await become.call(runtime.privileges, account);
    runtime.files.fail("open", "denied", { ending: "/rules" });
  };
  const options = ["--check-rules=/rules", "--filter-rules=/content", "--log=stderr"];
  const [running] = await started(runtime, [...SERVE, ...options]);
  assert.equal(runtime.err.match(/SIGHUP will fail/g)?.length, 1);
  assert.match(runtime.err, /: warning: SIGHUP will fail, [^\n]* reason="cannot open \/rules: denied"\n/);
  assert.match(runtime.err, / listening [^\n]* user=postprox /);
  runtime.signal("SIGTERM");
  assert.equal(await running, 0);
});

Deno.test("--user: 64 for a user that is not there or that only root can become, and 75 if the user cannot serve", async () => {
  const rows: readonly [change: (runtime: FakeRuntime) => void, args: string[], status: number, said: RegExp][] = [
    [() => {}, ["--user=nosuch"], 64, /--user: this host has no user "nosuch": give one that it has, such as postprox/],
    [
      ({ privileges }) => privileges.id = 1000,
      [],
      64,
      /--user: only root can become "postprox": start postprox as root/,
    ],
    [
      ({ files }) => files.fail("create", "denied", { ending: ".probe" }),
      [],
      75,
      /-d, --tempdir: cannot create \/tmp\//,
    ],
    [({ processes }) => processes.refusal = "exhausted", [], 75, /--user: cannot run getent: exhausted: try again/],
    [({ files }) => files.fail("create", "denied", { ending: ".new" }), ["--quarantine=/kept"], 75, /--quarantine: /],
  ];
  for (const [change, args, status, said] of rows) {
    const runtime = rootsRuntime();
    runtime.files.mkdir("/kept");
    change(runtime);
    assert.equal(await run(runtime, [...SERVE, ...args]), status, said.source);
    assert.match(runtime.err, new RegExp(`^postprox: option ${said.source}[^\\n]*\\n$`));
    assert.ok(runtime.network.listeners.every((listener) => listener.closed));
  }
});

Deno.test("that user itself, and root as that user, give up nothing", async () => {
  for (const [id, name, warns] of [[998, "postprox", false], [998, "998", false], [0, "root", true]] as const) {
    const runtime = rootsRuntime(id);
    const [running] = await started(runtime, ["mx:26", "-l", "25", "--foreground", "--log=stderr", `--user=${name}`]);
    assert.equal(runtime.privileges.id, id);
    assert.equal(/warning: [^\n]* run as root: give --user=NAME/.test(runtime.err), warns, runtime.err);
    runtime.signal("SIGTERM");
    assert.equal(await running, 0);
  }
});

Deno.test("--check-config looks at the spool and the quarantine as that user", async () => {
  for (const [ending, words] of [[".probe", "-d, --tempdir"], [".new", "--quarantine"]] as const) {
    const runtime = rootsRuntime();
    runtime.files.mkdir("/kept");
    const { become } = runtime.privileges;
    runtime.privileges.become = async (account) => {
      await become.call(runtime.privileges, account);
      runtime.files.fail("create", "denied", { ending });
    };
    assert.equal(await run(runtime, ["--check-config", ...SERVE, "--quarantine=/kept"]), 75);
    assert.match(runtime.err, new RegExp(`^postprox: option ${words}: [^\\n]*\\n$`));
  }
});

Deno.test("the log has a warning for a spool directory where every user can remove the files of others", async () => {
  for (const isOpen of [false, true]) {
    for (const args of [["--foreground", "-l", "25"], ["--foreground", "-l", "25", "--user=postprox"], []]) {
      const runtime = rootsRuntime();
      if (isOpen) runtime.files.openToEverybody("/tmp");
      runtime.network.downstream = "refused";
      const running = run(runtime, ["mx:26", "--log=/log", ...args]);
      if (args.length > 0) {
        await until(() => runtime.out !== "", () => "connections are accepted");
        await settled();
        runtime.signal("SIGTERM");
      }
      await running;
      const log = new TextDecoder().decode(runtime.files.octetsOf("/log"));
      const said = /warning: every user can remove and replace files in the spool directory: [^\n]* directory=\/tmp\n/;
      assert.equal(said.test(log), isOpen, log);
    }
  }
});
