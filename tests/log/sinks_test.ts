// Tests of lib/log/sinks.ts: where lines go, also lines that their place does not take, files that are opened again,
// and a queue with a bound.

import assert from "node:assert/strict";
import { IoError } from "../../lib/ports/io_error.ts";
import { textOf } from "../../lib/text/octets.ts";
import { JOURNAL_SOCKET } from "../../lib/log/journal.ts";
import { type LogFormat, type LogTarget, openLogger } from "../../lib/log/sinks.ts";
import { FakeRuntime } from "../fakes/runtime.ts";

const SYSLOG = { kind: "syslog", path: "/dev/log" } as const;
const FILE = { kind: "file", path: "/var/log/x" } as const;
const JOURNALS_SYSLOG = "/run/systemd/journal/dev-log";
const STDERR = { kind: "stderr" } as const;

function open(
  runtime: FakeRuntime,
  target: LogTarget,
  { verbosity = 0, format = "plain", others = [] }: {
    verbosity?: number;
    format?: LogFormat;
    others?: readonly LogTarget[];
  } = {},
): ReturnType<typeof openLogger> {
  return openLogger(runtime, target, { verbosity, format, others });
}

/** The lines in syslog, without their heads. */
function inSyslog({ network }: FakeRuntime): string[] {
  return network.datagramsSent.map(({ text }) => text.replace(/^.*? postprox\[4711\]: /, ""));
}

/** The lines in the file, without their times; each is whole. */
function inFile({ files }: FakeRuntime): string[] {
  const lines = textOf(files.octetsOf(FILE.path)).split("\n");
  assert.equal(lines.pop(), "");
  return lines.map((line) => {
    assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z postprox\[4711\]: /);
    return line.replace(/^.*? postprox\[4711\]: /, "");
  });
}

Deno.test("openLogger sends wanted lines to syslog, in order", async () => {
  const runtime = new FakeRuntime();
  const logger = await open(runtime, SYSLOG, { verbosity: 1 });
  logger.write("error", { words: "one" });
  logger.write("debug", { words: "not wanted" });
  logger.write("info", { words: "two" });
  await logger.flush();
  assert.deepEqual(runtime.network.datagramsSent.map(({ path }) => path), ["/dev/log", "/dev/log"]);
  assert.deepEqual(inSyslog(runtime), ["error: one", "two"]);
  assert.equal(runtime.err, "");
});

Deno.test("openLogger writes to standard error with the level as a word, or as the journal wants it", async () => {
  const levels = ["error", "warning", "notice", "info", "debug"] as const;
  for (const isErrJournal of [false, true]) {
    const runtime = new FakeRuntime();
    runtime.isErrJournal = isErrJournal;
    const logger = await open(runtime, STDERR, { verbosity: 2 });
    for (const level of levels) logger.write(level, { id: "id", words: "words" });
    await logger.flush();
    assert.deepEqual(
      runtime.err.trimEnd().split("\n"),
      isErrJournal
        ? [
          "<3>postprox[4711]: error: id: words",
          "<4>postprox[4711]: warning: id: words",
          "<5>postprox[4711]: id: words",
          "<6>postprox[4711]: id: words",
          "<7>postprox[4711]: id: words",
        ]
        : levels.map((level) => `postprox[4711]: ${level}: id: words`),
    );
  }
});

/** The process of a unit of systemd, on a host with the journal. */
function underSystemd(): FakeRuntime {
  const runtime = new FakeRuntime();
  runtime.isErrJournal = true;
  for (const path of [JOURNAL_SOCKET, JOURNALS_SYSLOG]) runtime.files.replace(path, new Uint8Array(), "socket");
  return runtime;
}

Deno.test("openLogger sends fields to the journal, with the words that standard error or syslog would have", async () => {
  const message = "id: words size=7";
  const json = { level: "error", pid: 4711, session: "id", event: "words", size: 7 };
  const rows: readonly [LogTarget, LogFormat, said: string][] = [
    [STDERR, "plain", `postprox[4711]: error: ${message}`],
    [{ kind: "syslog", path: JOURNALS_SYSLOG }, "plain", `error: ${message}`],
    [STDERR, "json", JSON.stringify(json)],
    [{ kind: "syslog", path: JOURNALS_SYSLOG }, "json", JSON.stringify(json)],
  ];
  for (const [target, format, said] of rows) {
    const runtime = underSystemd();
    const logger = await open(runtime, target, { format });
    logger.write("error", { id: "id", words: "words", fields: { size: 7 } });
    await logger.flush();
    assert.equal(runtime.err, "");
    assert.deepEqual(runtime.network.datagramsSent, [{
      path: JOURNAL_SOCKET,
      text: "PRIORITY=3\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postprox\nSYSLOG_PID=4711\n" +
        `MESSAGE=${said}\nPOSTPROX_SESSION=id\nPOSTPROX_EVENT=words\nPOSTPROX_SIZE=7\n`,
    }]);
  }
});

Deno.test("openLogger writes a line that the journal's socket does not take as it would without one", async () => {
  const runtime = underSystemd();
  const logger = await open(runtime, STDERR);
  runtime.network.syslog = "missing";
  logger.write("error", { words: "one" });
  await logger.flush();
  runtime.network.syslog = "up";
  logger.write("error", { words: "two" });
  await logger.flush();
  assert.equal(runtime.err, "<3>postprox[4711]: error: one\n");
  assert.match(runtime.network.datagramsSent[0]!.text, /^MESSAGE=postprox\[4711\]: error: two$/m);
});

Deno.test("openLogger sends a line that its file does not take to the journal, with its fields", async () => {
  const runtime = underSystemd();
  const others = [{ kind: "syslog", path: JOURNALS_SYSLOG }] as const;
  const logger = await open(runtime, FILE, { others });
  runtime.files.fail("append", "no-space");
  logger.write("error", { words: "words", fields: { size: 7 } });
  await logger.flush();
  assert.deepEqual(runtime.network.datagramsSent.map(({ text }) => /^POSTPROX_SIZE=7$/m.test(text)), [false, true]);
});

Deno.test("openLogger writes JSON to each place, with the time where that has none of its own", async () => {
  const head = { level: "error", pid: 4711 };
  const said = { session: "id", event: "words", size: 7 };
  const entry = { id: "id", words: "words", fields: { size: 7 } };
  for (const isErrJournal of [false, true]) {
    for (const target of [FILE, STDERR, SYSLOG]) {
      const runtime = new FakeRuntime();
      runtime.isErrJournal = isErrJournal;
      const logger = await open(runtime, target, { format: "json" });
      logger.write("error", entry);
      await logger.flush();
      if (target === SYSLOG) {
        const [line = ""] = inSyslog(runtime);
        assert.deepEqual(JSON.parse(line), { ...head, ...said });
        continue;
      }
      const text = target === FILE ? textOf(runtime.files.octetsOf(FILE.path)) : runtime.err;
      const [, mark, line = ""] = /^(<3>)?(\{.*\})\n$/.exec(text) ?? [];
      const { time, ...others } = JSON.parse(line);
      assert.deepEqual(others, { ...head, ...said });
      const isTimed = target === FILE || !isErrJournal;
      assert.equal(mark, isTimed ? undefined : "<3>");
      if (isTimed) assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      else assert.equal(time, undefined);
    }
  }
});

Deno.test("openLogger sends an object to syslog that is whole, however long its texts are", async () => {
  const runtime = new FakeRuntime();
  const logger = await open(runtime, SYSLOG, { format: "json" });
  const long = "\n".repeat(600);
  logger.write("error", { id: "id", words: "words", fields: { a: long, b: long, c: long, size: 7 } });
  await logger.flush();
  const [{ text = "" } = {}] = runtime.network.datagramsSent;
  assert.ok(text.length <= 2048 && text.length > 1900, `${text.length}`);
  assert.equal(JSON.parse(inSyslog(runtime)[0]!).size, 7);
});

Deno.test("openLogger says in JSON, too, what its places do not take", async () => {
  const runtime = new FakeRuntime();
  runtime.network.syslog = "missing";
  const logger = await open(runtime, SYSLOG, { format: "json", others: [STDERR] });
  logger.write("warning", { words: "one" });
  await logger.flush();
  runtime.network.syslog = "up";
  logger.write("error", { words: "two" });
  await logger.flush();
  const lines = [...runtime.err.trimEnd().split("\n"), ...inSyslog(runtime)].map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ level, event, reason, lines }) => ({ level, event, reason, lines })), [
    { level: "error", event: "syslog takes no lines", reason: "cannot send to /dev/log", lines: undefined },
    { level: "warning", event: "one", reason: undefined, lines: undefined },
    {
      level: "warning",
      event: "lines are missing here because the log could not take them",
      reason: "cannot send to /dev/log",
      lines: 1,
    },
    { level: "error", event: "two", reason: undefined, lines: undefined },
  ]);
});

Deno.test("openLogger shows lines that syslog does not take on standard error, and says once why", async () => {
  const runtime = new FakeRuntime();
  runtime.network.syslog = "missing";
  const logger = await open(runtime, SYSLOG, { others: [STDERR] });
  for (const line of ["one", "two"]) logger.write("warning", { words: line });
  await logger.flush();
  assert.deepEqual(runtime.err.trimEnd().split("\n"), [
    'postprox[4711]: error: syslog takes no lines reason="cannot send to /dev/log"',
    "postprox[4711]: warning: one",
    "postprox[4711]: warning: two",
  ]);
  // When syslog is back, it is used again.
  runtime.network.syslog = "up";
  for (const line of ["three", "four"]) logger.write("error", { words: line });
  await logger.flush();
  assert.deepEqual(inSyslog(runtime), [
    'warning: lines are missing here because the log could not take them lines=2 reason="cannot send to /dev/log"',
    "error: three",
    "error: four",
  ]);
  assert.equal(runtime.err.split("\n").length, 4);
  // And once more, when it goes again.
  runtime.network.syslog = "refused";
  logger.write("error", { words: "five" });
  await logger.flush();
  assert.equal(runtime.err.match(/syslog takes no lines/g)!.length, 2);
});

Deno.test("openLogger writes nothing to standard error if that is not one of the places", async () => {
  const runtime = new FakeRuntime();
  runtime.network.syslog = "missing";
  const logger = await open(runtime, SYSLOG);
  logger.write("error", { words: "lost" });
  await logger.flush();
  assert.equal(runtime.err + runtime.out, "");
  runtime.network.syslog = "up";
  logger.write("error", { words: "found" });
  await logger.flush();
  assert.equal(inSyslog(runtime).length, 2);
});

Deno.test("openLogger appends to a file with time and level, and opens it again after a rotation", async () => {
  const runtime = new FakeRuntime();
  const logger = await open(runtime, FILE);
  logger.write("warning", { words: "one" });
  await logger.flush();
  assert.deepEqual(inFile(runtime), ["warning: one"]);
  runtime.files.unlink(FILE.path);
  logger.write("warning", { words: "into the old file" });
  logger.reopen();
  logger.write("warning", { words: "two" });
  await logger.flush();
  assert.deepEqual(inFile(runtime), ["warning: two"]);
  assert.equal(runtime.files.handles, 1);
});

Deno.test("openLogger goes on with the old file if a new one cannot be opened, and says so there and elsewhere", async () => {
  for (const syslog of ["up", "missing"] as const) {
    const runtime = new FakeRuntime();
    runtime.network.syslog = syslog;
    const logger = await open(runtime, FILE, { others: [SYSLOG, STDERR] });
    runtime.files.fail("openLog", "denied");
    logger.reopen();
    logger.write("warning", { words: "still here" });
    await logger.flush();
    const said = /^error: the log file cannot be opened again: lines still go to the old one reason=.*denied/;
    const [first, second] = inFile(runtime);
    assert.match(first!, said);
    assert.equal(second, "warning: still here");
    const elsewhere = syslog === "up" ? inSyslog(runtime) : [runtime.err.replace("postprox[4711]: ", "")];
    assert.match(elsewhere.join(), said);
    assert.equal(runtime.files.handles, 1);
  }
});

Deno.test("openLogger throws for a file that cannot be opened", async () => {
  const runtime = new FakeRuntime();
  runtime.files.fail("openLog", "denied");
  await assert.rejects(open(runtime, FILE), IoError);
});

Deno.test("openLogger sends lines that a full disk does not take to syslog, and the file says how much that was, in whole lines", async () => {
  const runtime = new FakeRuntime();
  const logger = await open(runtime, FILE, { others: [SYSLOG, STDERR] });
  logger.write("error", { words: "one" });
  await logger.flush();
  // Half of the next line is written.
  runtime.files.fail("append", "no-space");
  for (const line of ["two", "three"]) logger.write("error", { words: line });
  await logger.flush();
  assert.deepEqual(inSyslog(runtime).map((line) => line.replace(/reason=.*/, "")), [
    "error: the log file takes no lines ",
    "error: two",
    "error: three",
  ]);
  runtime.files.mend();
  logger.write("error", { words: "four" });
  await logger.flush();
  // A torn piece stands on its own line.
  const lines = textOf(runtime.files.octetsOf(FILE.path)).split("\n");
  assert.ok(lines.slice(0, -1).every((line) => /^\d{4}-/.test(line)), lines.join("\n"));
  assert.deepEqual(lines.slice(-3).map((line) => line.replace(/.*?\]: |reason=.*/g, "")), [
    "warning: lines are missing here because the log could not take them lines=2 ",
    "error: four",
    "",
  ]);
  assert.equal(runtime.err, "");
});

Deno.test("openLogger drops lines beyond a bound when its place is slow, waits for nothing, and counts them", async () => {
  const runtime = new FakeRuntime();
  const gate = Promise.withResolvers<void>();
  const taken: string[] = [];
  runtime.network.datagrams = async () => ({
    send: async (octets) => {
      await gate.promise;
      taken.push(textOf(octets));
    },
  });
  const logger = await open(runtime, SYSLOG, { others: [STDERR] });
  for (let count = 0; count < 30_000; count++) logger.write("error", { words: "x" });
  const flushed = logger.flush();
  await runtime.clock.advance(500);
  await flushed;
  assert.equal(taken.length, 0);
  gate.resolve();
  await logger.flush();
  assert.equal(taken.filter((line) => line.endsWith("x")).length, 10_000);
  assert.match(taken.join("\n"), /lines are missing here because the log could not take them lines=20000 /);
  assert.equal(taken.length, 10_001);
  logger.write("error", { words: "x" });
  await logger.flush();
  assert.equal(taken.length, 10_002);
  assert.equal(runtime.err, "");
});

Deno.test("openLogger disturbs nobody when every place fails", async () => {
  const runtime = new FakeRuntime();
  runtime.errRefusal = "reset";
  runtime.network.syslog = "refused";
  const logger = await open(runtime, FILE, { others: [SYSLOG, STDERR] });
  runtime.files.fail("append", "no-space");
  runtime.files.fail("openLog", "denied");
  for (let count = 0; count < 5; count++) logger.write("error", { words: "lost" });
  logger.reopen();
  await logger.flush();
  runtime.files.mend();
  logger.write("error", { words: "found" });
  await logger.flush();
  assert.match(textOf(runtime.files.octetsOf(FILE.path)), /lines=5 .*\n.*: found\n$/);
});
