// Tests of lib/modes/spawn.ts: one session on standard input and output. Only SMTP is ever written there.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import { policyOf } from "../../lib/checks/policy.ts";
import { spawnMode } from "../../lib/modes/spawn.ts";
import { Marks } from "../../lib/spool/mark.ts";
import { OPTIONS } from "../fakes/conversation.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeExit, FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

interface Spawned {
  readonly runtime: FakeRuntime;
  readonly logger: FakeLogger;
  readonly status: Promise<number>;
}

async function spawn(prepare: (runtime: FakeRuntime) => void = () => {}): Promise<Spawned> {
  const runtime = new FakeRuntime();
  const logger = new FakeLogger();
  prepare(runtime);
  const judge = chain(runtime.clock, [], policyOf(OPTIONS));
  const status = spawnMode({ runtime, logger, marks: new Marks(runtime), judge, options: OPTIONS });
  await settled();
  return { runtime, logger, status };
}

async function greet({ runtime }: Spawned): Promise<void> {
  runtime.network.servers[0]!.say("220 mx\r\n");
  await settled();
  assert.equal(runtime.stdioPeer.hear(), "220 mx\r\n");
}

Deno.test("spawnMode runs one session and ends with 0", async () => {
  const spawned = await spawn();
  const { runtime } = spawned;
  await greet(spawned);
  runtime.stdioPeer.say("QUIT\r\n");
  await settled();
  runtime.network.servers[0]!.say("221 Bye\r\n");
  assert.equal(await spawned.status, 0);
  assert.equal(runtime.stdioPeer.hear(), "221 Bye\r\n");
  assert.equal(runtime.out + runtime.err, "");
});

Deno.test("spawnMode ends with 75 when downstream cannot be reached, after a 421", async () => {
  const { runtime, status } = await spawn(({ network }) => network.downstream = "refused");
  assert.equal(await status, 75);
  assert.equal(runtime.stdioPeer.hear(), "421 4.3.2 Service not available, try again later\r\n");
  assert.equal(runtime.out + runtime.err, "");
});

Deno.test("spawnMode ends with 75 if downstream's greeting turns the session away, whatever comes after it", async () => {
  for (const greeting of ["421 4.3.2 Busy", "450 4.3.2 Later", "554-5.7.1 No\r\n554 5.7.1 Not you"]) {
    const { runtime, logger, status } = await spawn();
    const mx = runtime.network.servers[0]!;
    mx.say(`${greeting}\r\n`);
    await settled();
    assert.equal(runtime.stdioPeer.hear(), `${greeting}\r\n`);
    if (!greeting.startsWith("421")) {
      runtime.stdioPeer.say("QUIT\r\n");
      await settled();
      mx.say("221 Bye\r\n");
    }
    assert.equal(await status, 75);
    assert.match(logger.find("turns the session away").join("\n"), /^warning: .* downstream=\S+ greeting=[^\n]*$/);
  }
});

Deno.test("spawnMode answers each signal with a 421 and a normal end", async () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const) {
    const spawned = await spawn();
    await greet(spawned);
    spawned.runtime.signal(signal);
    assert.equal(await spawned.status, 0);
    assert.equal(
      spawned.runtime.stdioPeer.hear(),
      "421 4.3.2 Service shutting down, closing connection\r\n",
      signal,
    );
  }
});

Deno.test("spawnMode: a file that becomes too large is an error of its write, and no end", async () => {
  const spawned = await spawn();
  await greet(spawned);
  spawned.runtime.signal("SIGXFSZ");
  assert.equal(spawned.runtime.stdioPeer.hear(), "");
  spawned.runtime.signal("SIGTERM");
  assert.equal(await spawned.status, 0);
});

Deno.test("spawnMode: a signal ends it, too, while it connects or waits for the greeting", async () => {
  for (const downstream of ["accepts", "silent"] as const) {
    const { runtime, status } = await spawn(({ network }) => network.downstream = downstream);
    runtime.signal("SIGTERM");
    await runtime.clock.advance(30_000);
    assert.equal(typeof await status, "number");
    assert.match(runtime.stdioPeer.hear(), /^421 [^\r\n]*\r\n$/, downstream);
  }
});

Deno.test("spawnMode: an error that nothing caught is a 421 and status 70, with its stack only in the log", async () => {
  const spawned = await spawn();
  const { runtime, logger } = spawned;
  await greet(spawned);
  runtime.bug(new TypeError("oops at /secret"));
  runtime.bug(new TypeError("and another"));
  assert.equal(await spawned.status, 70);
  assert.equal(runtime.stdioPeer.hear(), "421 4.3.0 Internal error, closing connection\r\n");
  assert.equal(runtime.out + runtime.err, "");
  assert.equal(logger.find(": bug ").length, 2);
  assert.match(logger.lines.join(), /oops at \/secret.*spawn_test\.ts/);
});

Deno.test("spawnMode exits with 70 within a second if a bug prevents the end of the session", async () => {
  const spawned = await spawn();
  const { runtime } = spawned;
  await greet(spawned);
  runtime.stdioPeer.stallWrites();
  runtime.bug(new Error("stuck"));
  await runtime.clock.advance(999);
  await assert.rejects(runtime.clock.advance(1), (error) => error instanceof FakeExit && error.status === 70);
  runtime.stdioPeer.takeWrites();
  await spawned.status;
});

Deno.test("spawnMode ends if the client has closed before the greeting", async () => {
  const spawned = await spawn();
  spawned.runtime.stdioPeer.end();
  await greet(spawned);
  assert.equal(await spawned.status, 0);
});
