// Tests of lib/commands/reload.ts: what it asks, its words and status for each answer, and its limit.

import assert from "node:assert/strict";
import { run } from "../../lib/app.ts";
import type { IoErrorKind } from "../../lib/ports/io_error.ts";
import { until } from "../rig/wait.ts";
import type { Peer } from "../rig/peer.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

const WHERE = "/run/postprox/reload.sock";

/** Runs the command against a service that does this; its status, output, and the question. */
async function reload(
  serve: (service: Peer, runtime: FakeRuntime) => unknown,
  { args = [], change = () => {} }: { args?: readonly string[]; change?: (runtime: FakeRuntime) => void } = {},
) {
  const runtime = new FakeRuntime();
  runtime.variables["RUNTIME_DIRECTORY"] = "/run/postprox";
  change(runtime);
  const running = run(runtime, ["reload", ...args]);
  const { servers, connects } = runtime.network;
  await until(() => servers.length > 0, () => "the connection");
  await settled();
  const asked = servers[0]!.hear();
  await serve(servers[0]!, runtime);
  const status = await running;
  assert.ok(servers[0]!.closed);
  assert.equal(runtime.clock.pending, 0);
  return { status, asked, at: connects[0]!.to, out: runtime.out, err: runtime.err };
}

Deno.test("reload says what the service has answered, with the status 0 only if the new settings hold", async () => {
  const rows: readonly [string, number, string][] = [
    ['{"isDone":true,"needsRestart":[]}\n', 0, ""],
    [
      '{"isDone":true,"needsRestart":["--log","--user"]}\n',
      0,
      "postprox: a restart is needed for options that have changed: --log --user\n",
    ],
    ['{"isDone":false,"why":"/p.conf:1: no"}\n', 1, "postprox: not reloaded: /p.conf:1: no\n"],
    ['{"isDone":false,"why":"a\\nb"}\n', 1, "postprox: not reloaded: a\npostprox: not reloaded: b\n"],
    ['{"isDone":false,"why":"\\u001b[2J"}\n', 1, "postprox: not reloaded: \\x1b[2J\n"],
    ["nonsense\n", 1, "postprox: the answer of the service is not understood: see its log\n"],
    ["x".repeat(65536), 1, "postprox: the answer of the service is not understood: see its log\n"],
  ];
  for (const [answer, status, err] of rows) {
    const heard = await reload((service) => service.say(answer));
    assert.deepEqual([heard.status, heard.err], [status, err], answer);
    assert.equal(heard.out, status === 0 ? "postprox: the service has read its settings again, and they hold\n" : "");
    assert.deepEqual([heard.asked, heard.at], ["reload\n", { transport: "unix", path: WHERE }]);
    const slow = await reload((service) => {
      service.octetByOctet = true;
      service.say(answer);
    });
    assert.deepEqual([slow.status, slow.err], [status, err], answer);
  }
});

Deno.test("reload names the process that it is for", async () => {
  const heard = await reload((service) => service.say('{"pid":17}\n'), { args: ["4711"] });
  assert.equal(heard.asked, "reload 4711\n");
  assert.equal(heard.status, 1);
  assert.equal(heard.err, `postprox: not reloaded: process 17 answers at ${WHERE}, and not process 4711\n`);
});

const ENDED = "postprox: the service ended before it answered\n";

Deno.test("reload: a service that ends before it answers, and one that gives no answer", async () => {
  for (const end of [(service: Peer) => service.end(), (service: Peer) => service.reset()]) {
    const { status, err } = await reload((service) => {
      service.say('{"isDone":true,');
      end(service);
    });
    assert.deepEqual([status, err], [1, ENDED]);
  }
  // It ends while the connection is in its queue.
  const queued = new FakeRuntime();
  queued.network.downstream = "reset";
  assert.equal(await run(queued, ["reload"]), 1);
  assert.equal(queued.err, ENDED);
  const { status, err } = await reload(async (service, { clock }) => {
    await clock.advance(79_999);
    assert.ok(!service.closed);
    await clock.advance(1);
  });
  assert.equal(status, 1);
  assert.equal(err, "postprox: no answer within 80 s: the log of the service says what becomes of it\n");
});

Deno.test("reload says why there is no connection, and what to look at", async () => {
  const rows: readonly [IoErrorKind, RegExp][] = [
    ["missing", /: is the service running, with RUNTIME_DIRECTORY=\/run\/postprox\?$/],
    ["refused", /: the service has ended$/],
    ["denied", /: only root, and the user that has started the service, may reload it$/],
    ["other", /: try again$/],
  ];
  for (const [kind, hint] of rows) {
    const runtime = new FakeRuntime();
    runtime.network.downstream = kind;
    assert.equal(await run(runtime, ["reload"]), 1);
    const [line = "", ...more] = runtime.err.split("\n");
    assert.match(line, /^postprox: not reloaded: cannot connect/);
    assert.match(line, hint);
    assert.deepEqual(more, [""]);
    // That of the packages' unit.
    assert.deepEqual(runtime.network.connects[0]!.to, { transport: "unix", path: WHERE });
  }
});

Deno.test("reload gives its lines a level if standard error is the journal", async () => {
  const change = (runtime: FakeRuntime) => runtime.isErrJournal = true;
  const failed = await reload((service) => service.say('{"isDone":false,"why":"no"}\n'), { change });
  assert.equal(failed.err, "<3>postprox: not reloaded: no\n");
  const done = await reload((service) => service.say('{"isDone":true,"needsRestart":["--log"]}\n'), { change });
  assert.match(done.err, /^<4>postprox: a restart is needed/);
});

Deno.test("reload takes one process id, and no option", async () => {
  for (const args of [["x"], ["0"], ["-1"], ["1", "2"], ["1.5"], ["-v"], ["--log=stderr"], ["mx:25"]]) {
    const runtime = new FakeRuntime();
    assert.equal(await run(runtime, ["reload", ...args]), 64, args.join(" "));
    assert.match(runtime.err, /^postprox: [^\n]+\n$/);
    assert.deepEqual(runtime.network.connects, []);
  }
});
