// Tests of lib/app.ts: the exit statuses, and whether standard error or the client gets the message.

import assert from "node:assert/strict";
import { run } from "../lib/app.ts";
import { IoError } from "../lib/ports/io_error.ts";
import { bytesOf } from "../lib/text/octets.ts";
import { mark } from "../lib/spool/mark.ts";
import { VERSION } from "../lib/commands/version.ts";
import { until } from "./rig/wait.ts";
import { FakeListener } from "./fakes/network.ts";
import { FakeRuntime } from "./fakes/runtime.ts";
import { settled } from "./fakes/settled.ts";

/** Listen mode accepts connections. The files that it needs are loaded meanwhile. */
async function accepting(runtime: FakeRuntime, what: unknown = ""): Promise<void> {
  await until(() => runtime.out !== "", () => `${what} accepts connections; it said ${runtime.err}`);
}

Deno.test("run prints help, license and version on standard output, and ends with 0", async () => {
  const rows = [["-h", /^Usage: postprox HOST:PORT/], ["-L", /Permission is hereby granted/], [
    "-V",
    /^postprox \d+\.\d+\.\d+\n/,
  ]] as const;
  for (const [option, words] of rows) {
    const runtime = new FakeRuntime();
    assert.equal(await run(runtime, [option]), 0);
    assert.match(runtime.out, words);
    assert.equal(runtime.err, "");
    assert.deepEqual(runtime.network.connects, []);
  }
});

/**
 * Why it does not start, of each kind, and with what status; `prepare` is what the system has against it.
 */
const WRONG: readonly {
  args: readonly string[];
  status: 64 | 75;
  words: RegExp;
  prepare?: (runtime: FakeRuntime) => void;
}[] = [
  { args: [], status: 64, words: /no server is named/ },
  { args: ["--nope", "mx"], status: 64, words: /--nope/ },
  { args: ["mx", "-d", ""], status: 64, words: /--tempdir: .* names no directory/ },
  {
    args: ["mx", "--check-rules=/rules"],
    status: 64,
    words: /--check-rules: \/rules:1: /,
    prepare: ({ files }) => files.replace("/rules", bytesOf("oops\n")),
  },
  {
    args: ["mx", "--list-name=bl.test=x"],
    status: 64,
    words: /--list-name: no DNS list \S+ is asked: give a zone of /,
  },
  {
    args: ["mx", "--dnsbl=bl.test", "--check-rules=/rules", "--list-name=rbl.test=x", "--list-name=rb1.test=x"],
    status: 64,
    words: /--list-name: no DNS list \S*rb1\.test\S* is asked/,
    prepare: ({ files }) => files.replace("/rules", bytesOf("noto:RBL.rbl.test:ALL:ALL\n")),
  },
  { args: ["mx", "-d", "/none"], status: 75, words: /--tempdir: .*\/none/ },
  {
    args: ["mx", "-d", "/file"],
    status: 75,
    words: /--tempdir: \/file is not a directory/,
    prepare: ({ files }) => files.replace("/file", bytesOf("")),
  },
  ...(["denied", "no-space", "other"] as const).map((kind) => ({
    args: ["mx"],
    status: 75 as const,
    words: /--tempdir.*can be written/,
    prepare: ({ files }: FakeRuntime) => files.fail("create", kind),
  })),
  {
    args: ["mx", "--log", "/x/y"],
    status: 75,
    words: /--log.*can be written/,
    prepare: ({ files }) => files.fail("openLog", "denied"),
  },
  { args: ["mx", "--check-rules=/none"], status: 75, words: /--check-rules: .*\/none.*can be read/ },
  {
    args: ["mx", "--filter-rules=/rules"],
    status: 75,
    words: /--filter-rules: .*\/rules.*can be read/,
    prepare: ({ files }) => {
      files.replace("/rules", bytesOf("x\n"));
      files.fail("read", "other");
    },
  },
  // Settings for a check that was not asked for, or that need another option.
  {
    args: ["mx", "--action=command=tag"],
    status: 64,
    words: /--action: no check command looks at mail: ask for it with --command/,
  },
  {
    args: ["mx", "-c", "true", "--on-error=clamd=tempfail"],
    status: 64,
    words: /--on-error: no check clamd looks at mail: give one of command, or ask for it with --clamd/,
  },
  {
    // The last one counts.
    args: ["mx", "-c", "true", "--action=command=log", "--action=command=quarantine"],
    status: 64,
    words: /--action: command=quarantine needs a quarantine: give --quarantine=DIR/,
  },
  {
    args: ["mx", "-c", "true", "--action=command=quarantine"],
    status: 64,
    words: /--action: command=quarantine needs a quarantine: give --quarantine=DIR/,
  },
  { args: ["mx", "--extchk=/none"], status: 75, words: /--extchk: .*\/none.*can be executed/ },
  {
    args: ["mx", "--extchk=/plain"],
    status: 75,
    words: /--extchk: .*\/plain.* cannot be executed/,
    prepare: ({ files }) => files.replace("/plain", bytesOf("")),
  },
];

/** The same for listen mode, which nobody starts under spawn(8). */
const WRONG_LISTENING: typeof WRONG = [
  ...([["in-use", /a free port/], ["unreachable", /an address of this host/], ["denied", /above 1023/], [
    "unknown-host",
    /an address of this host/,
  ], ["other", /an address of this host/]] as const).map(([kind, hint]) => ({
    args: ["mx", "-l", "25", "--foreground"],
    status: 75 as const,
    words: new RegExp(`--listen: .*${kind}.*${hint.source}`),
    prepare: ({ network }: FakeRuntime) => network.bindRefusal = kind,
  })),
  ...(["missing", "denied", "in-use"] as const).map((kind) => ({
    args: ["mx", "-l", "unix:/run/postprox", "--foreground"],
    status: 75 as const,
    words: new RegExp(`--listen: .*${kind}.*a path in a writable directory`),
    prepare: ({ network, files }: FakeRuntime) => {
      files.replace("/run/postprox", bytesOf(""));
      network.bindRefusal = kind;
    },
  })),
  {
    args: ["mx", "-l", "25", "--foreground"],
    status: 75,
    words: /--tempdir: cannot append .*no-space.*can be written/,
    prepare: ({ files }) => files.fail("append", "no-space"),
  },
  {
    args: ["mx", "-l", "25"],
    status: 75,
    words: /--listen: cannot start.*try again/,
    prepare: ({ processes }) => processes.startSelf = () => Promise.reject(new IoError("exhausted", "cannot start")),
  },
];

Deno.test("run ends with 64 for wrong use and 75 for a passing problem, with one line on standard error, and starts nothing", async () => {
  for (const { args, status, words, prepare } of [...WRONG, ...WRONG_LISTENING]) {
    const runtime = new FakeRuntime();
    prepare?.(runtime);
    const before = [...runtime.files.paths];
    assert.equal(await run(runtime, args), status, args.join(" "));
    assert.match(runtime.err, /^postprox: [^\n]*\n$/);
    assert.match(runtime.err, words);
    assert.equal(runtime.out, "");
    assert.deepEqual(runtime.network.connects, []);
    assert.deepEqual(runtime.processes.children, []);
    assert.deepEqual(runtime.files.paths, before);
    assert.equal(runtime.files.handles, 0);
  }
});

Deno.test("run sends the client 421 4.3.5 and the log the line if standard input is a socket", async () => {
  for (const { args, status, words, prepare } of WRONG) {
    const runtime = new FakeRuntime();
    runtime.isSpawned = true;
    prepare?.(runtime);
    assert.equal(await run(runtime, args), status, args.join(" "));
    assert.equal(runtime.err, "");
    assert.equal(runtime.out, "421 4.3.5 Server configuration error\r\n");
    const [datagram, more] = runtime.network.datagramsSent;
    assert.match(datagram!.text, words);
    assert.match(datagram!.text, status === 64 ? /: usage=/ : /: cannot start reason=/);
    assert.ok(more === undefined);
  }
});

Deno.test("run refuses -l if standard input is a mail client, and binds and starts nothing", async () => {
  for (const args of [["mx", "-l", "25"], ["mx", "-l", "25", "--foreground"]]) {
    const runtime = new FakeRuntime();
    runtime.isSpawned = true;
    assert.equal(await run(runtime, args), 64);
    assert.equal(runtime.out, "421 4.3.5 Server configuration error\r\n");
    assert.deepEqual(runtime.network.listeners, []);
    assert.deepEqual(runtime.processes.children, []);
  }
});

Deno.test("run refuses a log on standard error if that is the client", async () => {
  const runtime = new FakeRuntime();
  runtime.isSpawned = true;
  assert.equal(await run(runtime, ["mx", "--log=stderr"]), 64);
  assert.equal(runtime.err, "");
  assert.match(runtime.out, /^421 /);
});

Deno.test("run logs to standard error beside a spawned session if that is not the client", async () => {
  const runtime = new FakeRuntime();
  runtime.isSpawned = true;
  runtime.isErrInput = false;
  runtime.network.downstream = "refused";
  assert.equal(await run(runtime, ["mx", "--log=stderr"]), 75);
  assert.match(runtime.err, /^postprox\[4711\]: error: \S+ downstream not reachable [^\n]*\n$/);
  assert.match(runtime.stdioPeer.hear(), /^421 4\.3\.2 [^\n]*\n$/);
});

Deno.test("run without -l relays on standard input and output", async () => {
  const runtime = new FakeRuntime();
  runtime.isSpawned = true;
  const running = run(runtime, ["mx:10026", "-v", "-c", "filter"]);
  // The check is loaded meanwhile.
  await until(() => runtime.network.connects.length > 0, () => "a connection");
  assert.deepEqual(runtime.network.connects, [{ to: { transport: "tcp", host: "mx", port: 10026 }, limit: 30_000 }]);
  const [server] = runtime.network.servers;
  server!.say("220 mx\r\n");
  await settled();
  runtime.stdioPeer.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n");
  for (let count = 0; count < 2; count++) {
    await settled();
    server!.say("250 Ok\r\n");
  }
  await settled();
  const [filter] = runtime.processes.children;
  assert.deepEqual(filter!.words.slice(1), ["-c", "filter"]);
  filter!.exit(1, "550 5.7.1 No\n");
  await settled();
  runtime.stdioPeer.end();
  server!.say("250 Ok\r\n");
  assert.equal(await running, 0);
  assert.match(runtime.stdioPeer.hear(), /^220 mx\r\n(250 Ok\r\n){2}354 [^\r]*\r\n550 5\.7\.1 No\r\n$/);
  assert.equal(runtime.out + runtime.err, "");
  assert.deepEqual(runtime.files.paths, []);
  // The log has left when the program ends.
  assert.ok(runtime.network.datagramsSent.some(({ text }) => /message verdict=reject/.test(text)));
});

Deno.test("run without a command, or with an empty one, asks no filter", async () => {
  for (const args of [["mx"], ["mx", "-c", ""], ["mx", "-c", "x", "--command="]]) {
    const runtime = new FakeRuntime();
    const running = run(runtime, args);
    await until(() => runtime.network.servers.length > 0, () => "a connection");
    const [server] = runtime.network.servers;
    server!.say("220 mx\r\n");
    runtime.stdioPeer.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n");
    for (const reply of ["250 Ok\r\n", "250 Ok\r\n", "354 Go on\r\n", "250 Taken\r\n", "221 Bye\r\n"]) {
      await settled();
      server!.say(reply);
    }
    assert.equal(await running, 0);
    assert.deepEqual(runtime.processes.children, []);
    assert.match(runtime.stdioPeer.hear(), /250 Taken\r\n221 Bye\r\n$/);
  }
});

Deno.test("run ends with 75 when downstream cannot be reached", async () => {
  const runtime = new FakeRuntime();
  runtime.network.downstream = "refused";
  assert.equal(await run(runtime, ["mx"]), 75);
  assert.match(runtime.stdioPeer.hear(), /^421 4\.3\.2 /);
  assert.match(runtime.network.datagramsSent[0]!.text, /not reachable/);
});

Deno.test("run with -l goes to the background, unless --foreground keeps it", async () => {
  const runtime = new FakeRuntime();
  runtime.processes.self = { stdout: ["postprox: accepting connections at 127.0.0.1:10025\n"] };
  assert.equal(await run(runtime, ["-l", "10025", "mx"]), 0);
  assert.deepEqual(runtime.processes.selfStarts[0]!.args, ["--foreground", "-l", "10025", "mx"]);
  assert.deepEqual(runtime.network.listeners, []);

  const front = new FakeRuntime();
  const running = run(front, ["-l", "10025", "mx", "--foreground"]);
  await accepting(front);
  assert.deepEqual(front.processes.selfStarts, []);
  assert.equal(front.out, "postprox: accepting connections at 127.0.0.1:10025\n");
  front.signal("SIGTERM");
  assert.equal(await running, 0);
});

Deno.test("run with -l says once, before it is ready, that syslog takes no lines; without -l it says nothing", async () => {
  const runtime = new FakeRuntime();
  runtime.network.syslog = "missing";
  const write = runtime.stdio.writeOut;
  let before = "";
  runtime.stdio.writeOut = (text) => (before = runtime.err, write(text));
  const running = run(runtime, ["-l", "10025", "mx", "--foreground"]);
  await accepting(runtime);
  assert.match(before, /^postprox\[4711\]: error: syslog takes no lines [^\n]*\n[^\n]*: notice: listening [^\n]*\n$/);
  runtime.signal("SIGTERM");
  await running;
  assert.equal(runtime.err.match(/syslog takes no lines/g)!.length, 1);

  const spawned = new FakeRuntime();
  spawned.network.syslog = "missing";
  spawned.network.downstream = "refused";
  await run(spawned, ["mx"]);
  assert.equal(spawned.err, "");
});

Deno.test("run gives its one line of wrong use a level if standard error is the journal", async () => {
  for (const isErrJournal of [false, true]) {
    const runtime = new FakeRuntime();
    runtime.isErrJournal = isErrJournal;
    assert.equal(await run(runtime, ["--no-such-option"]), 64);
    assert.match(runtime.err, isErrJournal ? /^<3>postprox: [^\n]+\n$/ : /^postprox: [^\n]+\n$/);
  }
});

Deno.test("run sweeps the spool when it starts to listen, and not when it is spawned", async () => {
  const left = "/tmp/postprox-99-00000000-0000-4000-8000-000000000000.eml";
  const runtime = new FakeRuntime();
  runtime.files.boot();
  (await mark(runtime.files, "/tmp", left.replace("eml", "lock")))!.close();
  runtime.files.replace(left, new Uint8Array(1));
  const running = run(runtime, ["-l", "10025", "mx", "--foreground", "--log=stderr"]);
  await accepting(runtime);
  assert.deepEqual(runtime.files.paths, []);
  assert.match(runtime.err, /left over.*postprox-99-/);
  runtime.signal("SIGTERM");
  await running;

  const spawned = new FakeRuntime();
  spawned.files.replace(left, new Uint8Array(1));
  spawned.network.downstream = "refused";
  await run(spawned, ["mx"]);
  assert.deepEqual(spawned.files.paths, [left]);
});

Deno.test("run listens even if the spool can be written but not listed", async () => {
  const runtime = new FakeRuntime();
  runtime.files.fail("list", "denied");
  const outcome = run(runtime, ["-l", "10025", "mx", "--foreground", "--log=stderr"]).catch((error) => error);
  await accepting(runtime);
  runtime.signal("SIGTERM");
  assert.equal(await outcome, 0);
});

/** A runtime whose process was started with a socket, and the socket. */
function withSocket(variables: Record<string, string>): { runtime: FakeRuntime; listener: FakeListener } {
  const runtime = new FakeRuntime();
  Object.assign(runtime.variables, { LISTEN_PID: String(runtime.pid), LISTEN_FDS: "1" }, variables);
  const listener = new FakeListener({ transport: "tcp", host: "127.0.0.1", port: 10025 });
  runtime.network.inherited.set(3, listener);
  return { runtime, listener };
}

Deno.test("run takes a socket that it was started with in place of -l, in the foreground", async () => {
  for (const words of [[], ["--foreground"], ["-l", "10099"], ["-l", "10099", "--foreground"], ["--max-filters=3"]]) {
    const { runtime, listener } = withSocket({});
    const running = run(runtime, [...words, "mx", "--log=stderr"]);
    await accepting(runtime, words);
    assert.match(runtime.out, /accepting connections at 127\.0\.0\.1:10025\n/);
    assert.match(runtime.err, / listening .*at=127\.0\.0\.1:10025 .*socket=inherited/);
    assert.deepEqual(runtime.network.listeners, [listener]);
    runtime.signal("SIGHUP");
    const client = listener.client();
    await until(() => runtime.network.servers.length === 1, () => "a session");
    client.reset();
    runtime.signal("SIGQUIT");
    assert.equal(await running, 0);
    assert.doesNotMatch(runtime.err, /restart is needed/);
    assert.ok(listener.closed);
  }
});

Deno.test("run takes no socket that is meant for another process, or for nobody", async () => {
  const rows: readonly Record<string, string>[] = [
    { LISTEN_PID: "1" },
    { LISTEN_PID: "" },
    { LISTEN_FDS: "0" },
    { LISTEN_FDS: "2", LISTEN_PID: "4" },
  ];
  for (const variables of rows) {
    const { runtime } = withSocket(variables);
    const running = run(runtime, ["-l", "10099", "mx", "--foreground", "--log=stderr"]);
    await accepting(runtime);
    assert.match(runtime.out, /:10099\n/);
    runtime.signal("SIGTERM");
    await running;
  }
});

Deno.test("run does not start with sockets that it cannot use: one line, and 64", async () => {
  const rows: readonly [variables: Record<string, string>, complaint: RegExp][] = [
    [{ LISTEN_FDS: "2" }, /^postprox: LISTEN_FDS="?2"?: postprox listens on one socket: give one ListenStream=\n$/],
    [{ LISTEN_FDS: "one" }, /^postprox: LISTEN_FDS="?one"?: [^\n]+\n$/],
    [{}, /^postprox: LISTEN_FDS=1: descriptor 3 is no stream socket that listens: give ListenStream= and Accept=no\n$/],
  ];
  for (const [variables, complaint] of rows) {
    const { runtime } = withSocket(variables);
    runtime.network.inherited.clear();
    assert.equal(await run(runtime, ["-l", "10099", "mx", "--foreground", "--log=stderr"]), 64);
    assert.match(runtime.err, complaint);
  }
});

Deno.test("run says at the start of listen mode that the filter cannot be run, and starts anyway", async () => {
  const rows: readonly [string, RegExp | undefined][] = [
    ["/usr/bin/none -x", /filter cannot be run.*\/usr\/bin\/none/],
    ["/tmp", /filter cannot be run.*\/tmp is no program/],
    // Only the shell can read this, so it is left to the shell.
    ["none -x", undefined],
    ["/usr/bin/none; true", undefined],
  ];
  for (const [command, words] of rows) {
    const runtime = new FakeRuntime();
    const running = run(runtime, ["-l", "10025", "mx", "--foreground", "--log=stderr", "-c", command]);
    await accepting(runtime);
    await settled();
    runtime.signal("SIGTERM");
    await running;
    if (words) assert.match(runtime.err, words);
    else assert.doesNotMatch(runtime.err, /cannot be run/);
  }
});

Deno.test("run logs its setup at the start of listen mode and at each SIGHUP, even without -v", async () => {
  const rows: readonly [args: readonly string[], fields: string][] = [
    [[], "checks=none filter=none rules=none"],
    [["-c", "/usr/bin/f -x"], 'checks=command filter="/usr/bin/f -x" rules=none'],
    [["--clamd=unix:/c", "--rspamd=r:1", "--dry-run"], "dry_run=yes checks=clamd,rspamd filter=none rules=none"],
    [["--then", "f", "-c", "c", "--then", "g"], 'checks=command filter=c then="f; g" rules=none'],
    [
      ["--check-rules=/rules", "--filter-rules=/content", "--extchk=/checker"],
      "checks=filter-rules,extchk filter=none rules=/rules filter_rules=/content extchk=/checker",
    ],
  ];
  for (const [args, fields] of rows) {
    const runtime = new FakeRuntime();
    for (const path of ["/rules", "/content", "/checker"]) runtime.files.replace(path, bytesOf("#\n"));
    runtime.files.makeExecutable("/checker");
    const running = run(runtime, ["-l", "10025", "mx:26", "--foreground", "--log=stderr", ...args]);
    const said = `: listening version=${VERSION} at=127.0.0.1:10025 next_hop=mx:26 ${fields}\n`;
    const count = () => runtime.err.split(said).length - 1;
    await accepting(runtime);
    await settled();
    assert.equal(count(), 1, runtime.err);
    runtime.signal("SIGHUP");
    await until(() => count() === 2, () => `a second line in ${runtime.err}`);
    runtime.signal("SIGTERM");
    await running;
  }
});

Deno.test("run warns in the log if other hosts can reach it", async () => {
  for (const [listen, warns] of [["25", false], ["0.0.0.0:25", true], ["unix:/run/in", false]] as const) {
    const runtime = new FakeRuntime();
    const running = run(runtime, ["-l", listen, "mx:26", "--foreground", "--log=stderr"]);
    await accepting(runtime);
    await settled();
    assert.equal(/other hosts can connect here: .* open relay, .* at=0\.0\.0\.0:25\n/.test(runtime.err), warns);
    runtime.signal("SIGTERM");
    await running;
  }
});

Deno.test("run reads nothing again at SIGHUP if there are no rules", async () => {
  const runtime = new FakeRuntime();
  const running = run(runtime, ["-l", "10025", "mx", "--foreground", "--log=stderr", "-v"]);
  await accepting(runtime);
  runtime.signal("SIGHUP");
  await settled();
  runtime.signal("SIGTERM");
  await running;
  assert.doesNotMatch(runtime.err, /reloaded/);
});

Deno.test("run asks the DNS lists that the configuration file names now for their test entries, and no others", async () => {
  const runtime = new FakeRuntime();
  const write = (...lists: string[]) => {
    runtime.files.replace("/conf", bytesOf(lists.map((list) => `dnsbl = ${list}\n`).join("")));
  };
  write();
  const running = run(runtime, ["-l", "10025", "mx", "--foreground", "--log=stderr", "--config=/conf"]);
  await accepting(runtime);
  for (const lists of [["a.example"], ["a.example", "b.example"], ["b.example"], []]) {
    write(...lists);
    const { asked } = runtime.resolver;
    asked.length = 0;
    const listening = () => runtime.err.split(" listening ").length;
    const before = listening();
    runtime.signal("SIGHUP");
    await until(() => listening() > before, () => `a reload in ${runtime.err}`);
    await settled();
    const zones = asked.flatMap((question) => /^2\.0\.0\.127\.(\S+) A$/.exec(question)?.[1] ?? []);
    assert.deepEqual(zones.sort(), lists, runtime.err);
  }
  runtime.signal("SIGTERM");
  await running;
});

Deno.test("run asks for the test entries of DNS lists at the name server that the configuration file names now", async () => {
  const runtime = new FakeRuntime();
  const write = (server: string) =>
    runtime.files.replace("/conf", bytesOf(`dnsbl = a.example\ndns-server = ${server}\n`));
  const isAskedAt = async (server: string) => {
    const { resolver } = runtime;
    await until(() => resolver.server?.address === server, () => `${server}, and not ${resolver.server?.address}`);
  };
  write("192.0.2.1");
  const running = run(runtime, ["-l", "10025", "mx", "--foreground", "--log=stderr", "--config=/conf"]);
  await isAskedAt("192.0.2.1");
  write("192.0.2.2");
  runtime.signal("SIGHUP");
  await isAskedAt("192.0.2.2");
  runtime.resolver.server = undefined;
  // Every hour, too.
  await runtime.clock.advance(3_600_000);
  await isAskedAt("192.0.2.2");
  runtime.signal("SIGTERM");
  await running;
});

Deno.test("run with --foreground serves even if its first line cannot be written", async () => {
  const runtime = new FakeRuntime();
  runtime.stdio.writeOut = () => {
    throw new Error("EPIPE");
  };
  const running = run(runtime, ["-l", "10025", "mx", "--foreground"]);
  await until(() => runtime.network.listeners.length > 0, "it listens");
  runtime.signal("SIGTERM");
  assert.equal(await running, 0);
});

Deno.test("run ends with 75 if downstream cannot be reached, even if nobody is there to hear of it", async () => {
  const runtime = new FakeRuntime();
  runtime.network.downstream = "refused";
  const running = run(runtime, ["mx"]);
  runtime.stdioPeer.close();
  assert.equal(await running, 75);
});
