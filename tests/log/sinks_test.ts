// Tests of lib/log/sinks.ts: syslog's format, files that are opened anew, a queue with a bound, and silence where standard
// error is the client.

import assert from "node:assert/strict";
import { IoError } from "../../lib/runtime/io_error.ts";
import { textOf } from "../../lib/smtp/bytes.ts";
import { formatSyslog, openLogger } from "../../lib/log/sinks.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const SYSLOG = { kind: "syslog", path: "/dev/log" } as const;
const FILE = { kind: "file", path: "/var/log/x" } as const;

Deno.test("formatSyslog writes one RFC 3164 datagram of the facility mail", () => {
  const now = new Date(2026, 10, 5, 3, 4, 9);
  const rows = [["error", 19], ["warning", 20], ["notice", 21], ["info", 22], ["debug", 23]] as const;
  for (const [level, priority] of rows) {
    assert.equal(
      textOf(formatSyslog(level, "id: words", { pid: 42, now })),
      `<${priority}>Nov  5 03:04:09 postprox[42]: id: words`,
    );
  }
  assert.equal(formatSyslog("error", "x".repeat(5000), { pid: 42, now }).length, 2048);
});

Deno.test("formatSyslog does not cut a character in half", () => {
  const now = new Date(2026, 10, 5, 3, 4, 9);
  for (let pad = 0; pad < 4; pad++) {
    const octets = formatSyslog("error", "x".repeat(pad) + "\u{1f600}".repeat(600), { pid: 42, now });
    assert.doesNotThrow(() => new TextDecoder("utf-8", { fatal: true }).decode(octets), `${pad}`);
  }
});

Deno.test("openLogger sends what is wanted to syslog, in order", async () => {
  const runtime = new FakeRuntime();
  const logger = await openLogger(runtime, SYSLOG, { verbosity: 1, fallback: "nowhere" });
  logger.write("error", "one");
  logger.write("debug", "not wanted");
  logger.write("info", "two");
  await logger.flush();
  const { datagramsSent } = runtime.network;
  assert.deepEqual(datagramsSent.map(({ path }) => path), ["/dev/log", "/dev/log"]);
  assert.match(datagramsSent[0]!.text, /^<19>.* postprox\[4711\]: one$/);
  assert.match(datagramsSent[1]!.text, /^<22>.* postprox\[4711\]: two$/);
  assert.equal(runtime.err, "");
});

Deno.test("openLogger falls back to standard error only where that is not the client", async () => {
  for (const fallback of ["stderr", "nowhere"] as const) {
    const runtime = new FakeRuntime();
    runtime.network.syslog = "missing";
    const logger = await openLogger(runtime, SYSLOG, { verbosity: 0, fallback });
    logger.write("error", "lost");
    await logger.flush();
    assert.equal(runtime.err, fallback === "stderr" ? "postprox[4711]: lost\n" : "");
    assert.equal(runtime.out, "");
    // When syslog is back, it is used again.
    runtime.network.syslog = "up";
    logger.write("error", "found");
    await logger.flush();
    assert.equal(runtime.network.datagramsSent.length, 1);
  }
});

Deno.test("openLogger appends to a file with time and level, and opens it anew after a rotation", async () => {
  const runtime = new FakeRuntime();
  const logger = await openLogger(runtime, FILE, { verbosity: 0, fallback: "nowhere" });
  logger.write("warning", "one");
  await logger.flush();
  const line = /^\d{4}-\d\d-\d\dT[\d:.]+Z postprox\[4711\]: warning: one\n$/;
  assert.match(textOf(runtime.files.octetsOf(FILE.path)), line);
  runtime.files.unlink(FILE.path);
  logger.write("warning", "into the old file");
  logger.reopen();
  logger.write("warning", "one");
  await logger.flush();
  assert.match(textOf(runtime.files.octetsOf(FILE.path)), line);
  assert.equal(runtime.files.handles, 1);
});

Deno.test("openLogger goes on with the old file when a new one cannot be opened", async () => {
  const runtime = new FakeRuntime();
  const logger = await openLogger(runtime, FILE, { verbosity: 0, fallback: "nowhere" });
  runtime.files.fail("openLog", "denied");
  logger.reopen();
  logger.write("warning", "still here");
  await logger.flush();
  assert.match(textOf(runtime.files.octetsOf(FILE.path)), /still here/);
});

Deno.test("openLogger throws for a file that cannot be opened; a write that fails later is nobody's trouble", async () => {
  const runtime = new FakeRuntime();
  runtime.files.fail("openLog", "denied");
  await assert.rejects(openLogger(runtime, FILE, { verbosity: 0, fallback: "nowhere" }), IoError);
  runtime.files.mend();
  const logger = await openLogger(runtime, FILE, { verbosity: 0, fallback: "nowhere" });
  runtime.files.fail("append", "no-space");
  logger.write("error", "lost");
  await logger.flush();
});

Deno.test("openLogger drops lines beyond a bound when its place is slow, and writes again afterwards", async () => {
  const runtime = new FakeRuntime();
  const gate = Promise.withResolvers<void>();
  let taken = 0;
  runtime.network.datagrams = async () => ({
    send: async () => {
      await gate.promise;
      taken++;
    },
  });
  const logger = await openLogger(runtime, SYSLOG, { verbosity: 0, fallback: "nowhere" });
  for (let count = 0; count < 30_000; count++) logger.write("error", "x");
  gate.resolve();
  await logger.flush();
  assert.equal(taken, 10_000);
  logger.write("error", "x");
  await logger.flush();
  assert.equal(taken, 10_001);
});
