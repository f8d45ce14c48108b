// Tests of lib/log/syslog.ts: its format, and the two kinds of socket of a daemon.

import assert from "node:assert/strict";
import { withWord } from "../../lib/log/logger.ts";
import { formatSyslog, syslogSender } from "../../lib/log/syslog.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { textOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { settled } from "../fakes/settled.ts";

Deno.test("formatSyslog writes a line of the facility mail as RFC 3164 has it", () => {
  const now = new Date(2026, 10, 5, 3, 4, 9);
  const rows = [["error", 19, "error: "], ["warning", 20, "warning: "], ["notice", 21, ""], ["info", 22, ""], [
    "debug",
    23,
    "",
  ]] as const;
  for (const [level, priority, word] of rows) {
    assert.equal(
      textOf(formatSyslog(level, () => withWord(level, "id: words"), { pid: 42, now })),
      `<${priority}>Nov  5 03:04:09 postprox[42]: ${word}id: words`,
    );
  }
  assert.equal(formatSyslog("error", (room) => "x".repeat(2 * room), { pid: 42, now }).length, 2048);
});

Deno.test("formatSyslog does not cut a character in half", () => {
  const now = new Date(2026, 10, 5, 3, 4, 9);
  for (let pad = 0; pad < 4; pad++) {
    const octets = formatSyslog("error", () => "x".repeat(pad) + "\u{1f600}".repeat(600), { pid: 42, now });
    assert.doesNotThrow(() => new TextDecoder("utf-8", { fatal: true }).decode(octets), `${pad}`);
  }
});

/** The words of the lines in a stream. A NUL ends each line. */
function wordsIn(stream: string): string[] {
  assert.match(stream, /^$|\0$/);
  return stream.split("\0").slice(0, -1).map((line) => /^<19>.*: error: (.*)$/.exec(line)![1]!);
}

Deno.test("syslogSender sends datagrams, and says why it cannot", async () => {
  const runtime = new FakeRuntime();
  const send = syslogSender(runtime, "/dev/log", withWord);
  await send("error", "one");
  runtime.network.syslog = "missing";
  await assert.rejects(send("error", "lost"), (error) => error instanceof IoError && error.kind === "missing");
  runtime.network.syslog = "up";
  await send("error", "two");
  assert.deepEqual(runtime.network.datagramsSent.map(({ text }) => text.replace(/.*: /, "")), ["one", "two"]);
  assert.deepEqual(runtime.network.connects, []);
});

Deno.test("syslogSender writes to a stream if the socket takes no datagrams, each line with a NUL after it", async () => {
  const runtime = new FakeRuntime();
  const { network } = runtime;
  network.syslog = "wrong-type";
  const send = syslogSender(runtime, "/dev/log", withWord);
  await send("error", "one");
  await send("error", "two");
  assert.deepEqual(network.connects.map(({ to }) => to), [{ transport: "unix", path: "/dev/log" }]);
  assert.deepEqual(wordsIn(network.servers[0]!.hear()), ["one", "two"]);
});

Deno.test("syslogSender finds a daemon again after a restart, as a stream or not", async () => {
  for (const leave of ["end", "reset", "close"] as const) {
    const runtime = new FakeRuntime();
    const { network } = runtime;
    network.syslog = "wrong-type";
    const send = syslogSender(runtime, "/dev/log", withWord);
    await send("error", "first");
    network.servers[0]![leave]();
    await settled();
    network.syslog = "refused";
    await assert.rejects(send("error", "lost"), (error) => error instanceof IoError && error.kind === "refused", leave);
    network.syslog = "wrong-type";
    await send("error", "second");
    assert.deepEqual(wordsIn(network.servers[1]!.hear()), ["second"], leave);
    network.servers[1]!.reset();
    network.syslog = "up";
    await send("error", "third");
    assert.equal(network.datagramsSent.length, 1, leave);
  }
});

Deno.test("syslogSender sends a line again, whole, if the end of a connection cut it short", async () => {
  const runtime = new FakeRuntime();
  const { network } = runtime;
  network.syslog = "wrong-type";
  const send = syslogSender(runtime, "/dev/log", withWord);
  await send("error", "first");
  network.servers[0]!.stallWrites();
  const sending = send("error", "second");
  await settled();
  network.servers[0]!.reset();
  await sending;
  assert.deepEqual(wordsIn(network.servers[1]!.hear()), ["second"]);
});

Deno.test("syslogSender gives up a line if the daemon takes no connection, or only to close it", async () => {
  const runtime = new FakeRuntime();
  const { network } = runtime;
  network.syslog = "wrong-type";
  const send = syslogSender(runtime, "/dev/log", withWord);
  network.downstream = "refused";
  await assert.rejects(send("error", "lost"), (error) => error instanceof IoError && error.kind === "refused");
  network.downstream = "accepts";
  const connect = network.connect;
  network.connect = async (...args) => {
    const conn = await connect.apply(network, args);
    network.servers.at(-1)!.reset();
    return conn;
  };
  await assert.rejects(send("error", "lost"), (error) => error instanceof IoError && error.kind === "reset");
});
