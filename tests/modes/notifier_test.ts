// Tests of lib/modes/notifier.ts: what the service manager is told, and when.

import assert from "node:assert/strict";
import { nameSuccessor, Notifier } from "../../lib/modes/notifier.ts";
import { FakeLogger } from "../fakes/logger.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

class Bed {
  readonly runtime = new FakeRuntime();
  readonly logger = new FakeLogger();
  status = "well";
  readonly notifier = new Notifier(this.runtime, this.logger, () => this.status);

  constructor(variables: Record<string, string> = {}) {
    Object.assign(this.runtime.variables, { NOTIFY_SOCKET: "/run/notify", ...variables });
  }

  /** The notices since the last call. */
  async heard(): Promise<string[]> {
    await settled();
    return this.runtime.network.datagramsSent.splice(0).map(({ path, text }) => {
      assert.equal(path, this.runtime.variables["NOTIFY_SOCKET"]);
      return text;
    });
  }
}

Deno.test("Notifier tells of the start, of a reload and of the end, with the status and the process that serves", async () => {
  const bed = new Bed();
  bed.notifier.reloading();
  assert.deepEqual(await bed.heard(), []);
  bed.notifier.ready();
  assert.deepEqual(await bed.heard(), ["READY=1\nMAINPID=4711\nSTATUS=well\n"]);
  await bed.runtime.clock.advance(7);
  bed.notifier.reloading();
  bed.notifier.ready();
  const time = bed.runtime.clock.now() * 1000;
  assert.deepEqual(await bed.heard(), [
    `RELOADING=1\nMONOTONIC_USEC=${time}\n`,
    "READY=1\nMAINPID=4711\nSTATUS=well\n",
  ]);
  bed.notifier.stopping(1500.0001);
  bed.notifier.stopping(1);
  // A reload that ends now changes nothing.
  bed.notifier.reloading();
  bed.notifier.ready();
  assert.deepEqual(await bed.heard(), ["STOPPING=1\nEXTEND_TIMEOUT_USEC=1500001\nSTATUS=ending: well\n"]);
  await bed.notifier.end();
  assert.deepEqual(await bed.heard(), []);
});

Deno.test("Notifier sends the status again only after it has changed, and at most every two seconds", async () => {
  const bed = new Bed();
  await bed.runtime.clock.advance(10_000);
  assert.deepEqual(await bed.heard(), [], "before the program serves");
  bed.notifier.ready();
  await bed.heard();
  await bed.runtime.clock.advance(10_000);
  assert.deepEqual(await bed.heard(), []);
  for (const status of ["one", "two"]) {
    bed.status = status;
    await bed.runtime.clock.advance(1000);
  }
  assert.deepEqual(await bed.heard(), ["STATUS=two\n"]);
  bed.notifier.stopping(1);
  await bed.heard();
  bed.status = "less";
  await bed.runtime.clock.advance(2000);
  assert.deepEqual(await bed.heard(), ["STATUS=ending: less\n"]);
  await bed.notifier.end();
  bed.status = "nothing";
  await bed.runtime.clock.advance(10_000);
  assert.deepEqual(await bed.heard(), []);
});

Deno.test("Notifier's status is one line that fits, whatever is in it", async () => {
  const bed = new Bed();
  bed.status = `a\nREADY=0\r\x00b ${"\u00e9".repeat(3000)}`;
  bed.notifier.ready();
  const [notice = ""] = await bed.heard();
  assert.match(notice, /^READY=1\nMAINPID=4711\nSTATUS=a READY=0 b \u00e9+\n$/);
  assert.ok(new TextEncoder().encode(notice).length < 4096);
});

Deno.test("Notifier gives signs of life, three in each period, only if they are wanted of this process", async () => {
  const rows: readonly [variables: Record<string, string>, signs: number][] = [
    [{}, 0],
    [{ WATCHDOG_USEC: "3000000" }, 3],
    [{ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "4711" }, 3],
    [{ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "" }, 3],
    [{ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "4712" }, 0],
    [{ WATCHDOG_USEC: "0" }, 0],
    [{ WATCHDOG_USEC: "soon" }, 0],
    [{ WATCHDOG_USEC: "9".repeat(18) }, 0],
  ];
  for (const [variables, signs] of rows) {
    const bed = new Bed(variables);
    await bed.runtime.clock.advance(3000);
    bed.notifier.ready();
    await bed.heard();
    await bed.runtime.clock.advance(3000);
    assert.deepEqual(await bed.heard(), Array(signs).fill("WATCHDOG=1\n"), JSON.stringify(variables));
    // Sessions go on until they are over, and the watchdog, too.
    bed.notifier.stopping(1);
    await bed.heard();
    await bed.runtime.clock.advance(3000);
    assert.equal((await bed.heard()).length, signs);
    await bed.notifier.end();
    assert.equal(bed.runtime.clock.nextDue === undefined || bed.runtime.clock.pending <= 1, true);
    await bed.runtime.clock.advance(3000);
    assert.deepEqual(await bed.heard(), []);
  }
});

Deno.test("Notifier says once in the log that nobody takes its notices, and tries again", async () => {
  const bed = new Bed({ WATCHDOG_USEC: "3000000" });
  bed.runtime.network.syslog = "refused";
  bed.notifier.ready();
  await bed.runtime.clock.advance(3000);
  assert.deepEqual(bed.logger.find("cannot send notices to the service manager").length, 1);
  bed.runtime.network.syslog = "up";
  await bed.runtime.clock.advance(1000);
  assert.deepEqual(await bed.heard(), ["WATCHDOG=1\n"]);
  bed.runtime.network.syslog = "missing";
  await bed.runtime.clock.advance(3000);
  assert.deepEqual(bed.logger.find("cannot send notices to the service manager").length, 2);
  await bed.notifier.end();
});

Deno.test("Notifier says in the log that a socket is none", async () => {
  for (const socket of ["vsock:2:1234", "run/notify", "/", "@"]) {
    const bed = new Bed({ NOTIFY_SOCKET: socket });
    bed.notifier.ready();
    assert.deepEqual(await bed.heard(), []);
    assert.match(bed.logger.lines.join("\n"), /names no unix socket/);
    await bed.notifier.end();
  }
});

Deno.test("Notifier lets at most one sign of life wait for a service manager that takes nothing, and ends without it", async () => {
  const bed = new Bed({ WATCHDOG_USEC: "3000" });
  let asked = 0;
  bed.runtime.network.datagrams = async () => ({
    send: () => {
      asked++;
      return new Promise<void>(() => {});
    },
  });
  bed.notifier.ready();
  await bed.runtime.clock.advance(1000);
  bed.notifier.stopping(1);
  assert.equal(asked, 1);
  const ended = bed.notifier.end();
  await bed.runtime.clock.advance(500);
  await ended;
});

Deno.test("nameSuccessor names the process that goes on, in one notice", async () => {
  const bed = new Bed();
  await nameSuccessor(bed.runtime, 4712);
  assert.deepEqual(await bed.heard(), ["MAINPID=4712\nREADY=1\n"]);
});
