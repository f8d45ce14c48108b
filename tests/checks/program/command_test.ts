// Tests of lib/checks/program/command.ts: what the filter command gets, how it is stopped, and which of its words
// count.

import assert from "node:assert/strict";
import { commandCheck, envelopeVariables } from "../../../lib/checks/program/command.ts";
import { type Message, messageOf } from "../../../lib/mail/message.ts";
import type { ClientFacts } from "../../../lib/smtp/xforward.ts";
import { IoError } from "../../../lib/ports/io_error.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import type { FakeChild } from "../../fakes/processes.ts";
import { fillSpool, MAIL, newSpool } from "../../fakes/spool.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { settled } from "../../fakes/settled.ts";

interface Run {
  readonly runtime: FakeRuntime;
  readonly child: FakeChild;
  readonly abort: () => void;
  /** The verdict so far. */
  verdict(): Promise<Verdict | undefined>;
}

async function run(
  options: { command?: string; text?: string; limit?: number; runtime?: FakeRuntime; editInPlace?: boolean } = {},
): Promise<Run> {
  const runtime = options.runtime ?? new FakeRuntime();
  const { spool, files } = newSpool(runtime.files);
  await fillSpool(spool, bytesOf(options.text ?? "text\n"));
  const { command = "exit $x", editInPlace = false } = options;
  const exit = { allowDiscard: false, strictExit: false, exitStatus: new Map() };
  const check = commandCheck(runtime, { command, timeout: 30_000, ...exit, editInPlace });
  const aborter = new AbortController();
  let verdict: Verdict | undefined;
  const judgeOptions = { signal: aborter.signal, limit: options.limit ?? 90_000, notice: () => {}, files };
  void check.judge(messageOf(MAIL, spool), judgeOptions).then((given) => verdict = given);
  await settled();
  return {
    runtime,
    child: runtime.processes.children[0]!,
    abort: () => aborter.abort(),
    verdict: async () => {
      await settled();
      if (verdict) assert.equal(runtime.clock.pending, 0, "a timer is left");
      return verdict;
    },
  };
}

async function replyOf(stderr: (child: FakeChild) => void): Promise<string> {
  const { child, verdict } = await run();
  stderr(child);
  child.exit(1);
  const given = await verdict();
  assert.ok(given && "reply" in given);
  return textOf(given.reply.bytes).trimEnd();
}

Deno.test("commandCheck runs the command with sh -c, EMAIL complete and OUTFILE empty", async () => {
  const { child, runtime } = await run();
  assert.match(child.words[0]!, /^(\/bin\/)?sh$/);
  assert.deepEqual(child.words.slice(1), ["-c", "exit $x"]);
  assert.equal(textOf(runtime.files.octetsOf(child.environment["EMAIL"]!)), "text\n");
  assert.equal(runtime.files.octetsOf(child.environment["OUTFILE"]!).length, 0);
  assert.equal(textOf(runtime.files.octetsOf(child.environment["RECIPIENTSFILE"]!)), "");
  assert.equal(child.environment["SESSIONID"], "0123456789");
  child.exit(0);
});

Deno.test("commandCheck executes a path with plain words itself, and leaves anything else to the shell", async () => {
  const rows: readonly (readonly [command: string, words: readonly string[] | "shell"])[] = [
    ["/usr/bin/filter", ["/usr/bin/filter"]],
    ["/opt/f-1.0/my_filter -x --level=3 a,b c@d.example 50% 1:2 +y", [
      "/opt/f-1.0/my_filter",
      "-x",
      "--level=3",
      "a,b",
      "c@d.example",
      "50%",
      "1:2",
      "+y",
    ]],
    ["/usr/bin/filter  two   blanks", ["/usr/bin/filter", "two", "blanks"]],
    // Words of the shell's own, or found by it.
    ["filter", "shell"],
    ["./filter", "shell"],
    ["exit", "shell"],
    ["A=b /usr/bin/filter", "shell"],
    [" /usr/bin/filter", "shell"],
    ["/usr/bin/filter ", "shell"],
    ["/usr/bin/filter\tword", "shell"],
    ["/usr/bin/filter\n/usr/bin/other", "shell"],
    ["/usr/bin/filter word\n", "shell"],
    ["/usr/bin/f\u00efltre", "shell"],
    // Each character that a shell may take for something else than itself.
    ...Array.from("$`\"'\\*?[]{}()<>|&;!#~^\r\0", (sign) => [`/usr/bin/filter a${sign}b`, "shell"] as const),
    ["/usr/bin/filter~", "shell"],
    ["/usr/bin/fil*", "shell"],
  ];
  for (const [command, words] of rows) {
    const { child } = await run({ command });
    assert.deepEqual(child.words, words === "shell" ? ["/bin/sh", "-c", command] : words);
    child.exit(0);
  }
});

Deno.test("commandCheck gives the shell a file that the system cannot start", async () => {
  const runtime = new FakeRuntime();
  const start = runtime.processes.start;
  runtime.processes.start = async (words, environment) => {
    if (words[0] !== "/bin/sh") throw new IoError("other", "cannot run it: ENOEXEC");
    return await start.call(runtime.processes, words, environment);
  };
  const { child, verdict } = await run({ command: "/usr/bin/filter word", runtime });
  assert.deepEqual(child.words, ["/bin/sh", "-c", "/usr/bin/filter word"]);
  child.exit(1, "550 said by the shell's child\n");
  const given = await verdict();
  assert.ok(given && "reply" in given);
  assert.equal(textOf(given.reply.bytes), "550 said by the shell's child\r\n");
});

Deno.test("commandCheck keeps the last line of standard error that is not blank, in any pieces", async () => {
  const rows: readonly [pieces: readonly string[], reply: string][] = [
    [["550 one\n"], "550 one"],
    [["550 no line end"], "550 no line end"],
    [["first\n550 last\n"], "550 last"],
    [["550 last\n\n  \n\t\n"], "550 last"],
    [["550 last\n", "\n", "  "], "550 last"],
    [["5", "5", "0 in", " pieces\n"], "550 in pieces"],
    [["550 dos\r\n"], "550 dos"],
    [["\n\n"], "554 5.7.1 Content rejected"],
    [[], "554 5.7.1 Content rejected"],
    [["550 begun, ", "and ended\n \n", "\t\n"], "550 begun, and ended"],
    [["first\n550 la", "st\n\n", " \n"], "550 last"],
    [["first\n  ", "\n \n"], "554 first"],
    [["first\n  ", "550 indented\n \n"], "554   550 indented"],
    [["\n550 behind a blank line"], "550 behind a blank line"],
  ];
  for (const [pieces, reply] of rows) {
    assert.equal(await replyOf((child) => pieces.forEach((piece) => child.say(piece))), reply);
    const octets = Array.from(pieces.join(""));
    assert.equal(await replyOf((child) => octets.forEach((octet) => child.say(octet))), reply, "octet by octet");
  }
});

Deno.test("commandCheck keeps little of a flood, and finds the last line after it", async () => {
  const reply = await replyOf((child) => {
    for (let count = 0; count < 300; count++) child.say("x".repeat(10_000));
    child.say(`${"\n".repeat(100_000)}\n550 there\n`);
  });
  assert.equal(reply, "550 there");
  assert.equal((await replyOf((child) => child.say(`550 ${"y".repeat(50_000)}\n`))).length, 510);
});

Deno.test("commandCheck stops a command that takes too long: TERM, a second later KILL, to the group", async () => {
  const { child, runtime: { clock }, verdict } = await run();
  child.ignoresTerm = true;
  await clock.advance(29_999);
  assert.deepEqual(child.signals, []);
  await clock.advance(1);
  assert.deepEqual(child.signals, ["SIGTERM"]);
  assert.equal(await verdict(), undefined);
  await clock.advance(1000);
  assert.equal(child.signals[1], "SIGKILL");
  assert.equal((await verdict())?.kind, "unsure");
});

Deno.test("commandCheck stops waiting for a command that cannot be killed", async () => {
  const { child, runtime: { clock }, verdict } = await run();
  child.ignoresTerm = child.ignoresKill = true;
  await clock.advance(31_999);
  assert.equal(await verdict(), undefined);
  await clock.advance(1);
  const given = await verdict();
  assert.equal(given?.kind, "unsure");
  assert.match(given.why, /ran longer than 30 s and runs on/);
  assert.equal(clock.pending, 0);
});

Deno.test("commandCheck calls it late even if the command then exits with 0 or 1", async () => {
  for (const status of [0, 1]) {
    const { child, runtime: { clock }, verdict } = await run();
    child.ignoresTerm = true;
    await clock.advance(30_000);
    child.exit(status, "550 too late");
    const given = await verdict();
    assert.equal(given?.kind, "unsure");
    assert.match(given.why, /30 s/);
  }
});

Deno.test("commandCheck gives the command only the time that the message has left, if that is less", async () => {
  const { child, runtime: { clock }, verdict } = await run({ limit: 5000.4 });
  await clock.advance(5001);
  assert.deepEqual(child.signals.slice(0, 1), ["SIGTERM"]);
  const given = await verdict();
  assert.equal(given?.kind, "unsure");
  assert.match(given.why, /ran longer than the 5 s left of --message-timeout and was killed/);
});

Deno.test("commandCheck kills processes that a command leaves in its group, and does not wait for their standard error", async () => {
  const { child, runtime: { clock }, verdict } = await run();
  child.leavesStderrOpen = child.leavesGroup = true;
  child.signalGroup = (signal) => void child.signals.push(signal);
  child.exit(1, "550 said before the end\n");
  await clock.advance(490);
  assert.deepEqual(child.signals, []);
  await clock.advance(1000);
  assert.deepEqual(child.signals, ["SIGKILL"]);
  const given = await verdict();
  assert.ok(given?.kind === "reject");
  assert.match(textOf(given.reply.bytes), /^550 said/);
  assert.ok(child.stderrClosed);
});

Deno.test("commandCheck waits until a daemon has left the group, and calls nothing late meanwhile", async () => {
  const { child, runtime: { clock }, verdict } = await run();
  child.leavesGroup = true;
  await clock.advance(29_990);
  child.exit(1, "550 no\n");
  await clock.advance(30);
  assert.equal(await verdict(), undefined);
  child.leavesGroup = false;
  await clock.advance(10);
  assert.equal((await verdict())?.kind, "reject");
  assert.deepEqual(child.signals, []);
});

Deno.test("commandCheck gives the rest of the group no time if the command was late, or nobody waits", async () => {
  for (const why of ["late", "aborted"] as const) {
    const { abort, child, runtime: { clock }, verdict } = await run();
    child.leavesGroup = true;
    if (why === "late") await clock.advance(30_000);
    else abort();
    assert.ok(await verdict(), why);
    assert.deepEqual(child.signals, ["SIGTERM", "SIGKILL"]);
  }
});

Deno.test("commandCheck stops the command when nobody waits for it any more", async () => {
  const { abort, child, verdict } = await run();
  abort();
  assert.deepEqual(child.signals.slice(0, 1), ["SIGTERM"]);
  assert.ok(await verdict());
});

Deno.test("commandCheck that stops a command for two reasons leaves no timer behind", async () => {
  const { abort, child, runtime: { clock }, verdict } = await run();
  child.ignoresTerm = true;
  await clock.advance(30_000);
  abort();
  child.exit(0);
  assert.ok(await verdict());
});

Deno.test("commandCheck that cannot start is unsure", async () => {
  const runtime = new FakeRuntime();
  runtime.processes.refusal = "denied";
  const { verdict } = await run({ runtime });
  assert.equal((await verdict())?.kind, "unsure");
});

Deno.test("commandCheck looks at OUTFILE after exit 0 and only then", async () => {
  const rows: readonly {
    leave: (files: FakeRuntime["files"], path: string) => void;
    status?: number;
    kind: Verdict["kind"];
  }[] = [
    { leave: () => {}, kind: "accept" },
    { leave: (files, path) => files.unlink(path), kind: "accept" },
    { leave: (files, path) => files.overwrite(path, bytesOf("x")), kind: "replace" },
    { leave: (files, path) => files.replace(path, bytesOf("x")), kind: "replace" },
    { leave: (files, path) => files.overwrite(path, bytesOf("x")), status: 2, kind: "unsure" },
    { leave: (files, path) => files.overwrite(path, bytesOf("x")), status: 1, kind: "reject" },
    { leave: (files, path) => files.replace(path, bytesOf("x"), "directory"), kind: "unsure" },
    { leave: (files, path) => files.replace(path, bytesOf("x"), "other"), kind: "unsure" },
    { leave: (files) => files.fail("stat", "denied", { ending: ".out" }), kind: "unsure" },
  ];
  for (const [at, { leave, status = 0, kind }] of rows.entries()) {
    const { child, runtime, verdict } = await run();
    leave(runtime.files, child.environment["OUTFILE"]!);
    child.exit(status);
    assert.equal((await verdict())?.kind, kind, `row ${at}`);
  }
});

// --- envelopeVariables

function variables(
  { client: facts = {}, ...envelope }: Partial<Message["envelope"]> & { client?: ClientFacts },
): Record<string, string> {
  return envelopeVariables({ ...MAIL.envelope, ...envelope }, { facts });
}

Deno.test("envelopeVariables: an unknown value is blank, and the null sender is <>", () => {
  assert.deepEqual(variables({}), {
    SENDER: "",
    SENDERADDRESS: "",
    RECIPIENT: "",
    RECIPIENTS: "",
    RECIPIENTCOUNT: "0",
    REMOTEIP: "",
    REMOTENAME: "",
    HELO: "",
    QUEUEID: "",
  });
  assert.equal(variables({ sender: "" })["SENDER"], "<>");
  assert.equal(variables({ sender: "" })["SENDERADDRESS"], "<>");
});

Deno.test("envelopeVariables hands hostile text on literally", () => {
  const evil = "$(rm -rf /)`id`'\"; echo \\";
  const client = { address: evil, name: evil, helo: evil, ident: evil };
  assert.deepEqual(variables({ sender: evil, recipients: [evil, "b@c"], client }), {
    SENDER: evil,
    SENDERADDRESS: evil,
    RECIPIENT: evil,
    RECIPIENTS: `${evil},b@c`,
    RECIPIENTCOUNT: "2",
    REMOTEIP: evil,
    REMOTENAME: evil,
    HELO: evil,
    QUEUEID: evil,
  });
});

Deno.test("envelopeVariables cuts to 99 characters, never inside one", () => {
  for (
    const [value, kept] of [
      ["x".repeat(99), "x".repeat(99)],
      ["x".repeat(100), "x".repeat(99)],
      ["\u{1f600}".repeat(100), "\u{1f600}".repeat(99)],
      [`${"x".repeat(98)}\u{1f600}y`, `${"x".repeat(98)}\u{1f600}`],
    ] as const
  ) {
    const client = { address: value, name: value, helo: value, ident: value };
    const found = variables({ sender: value, recipients: [value], client });
    for (const name of ["SENDER", "RECIPIENT", "REMOTEIP", "REMOTENAME", "HELO", "QUEUEID"]) {
      assert.equal(found[name], kept, name);
    }
    assert.equal(found["SENDERADDRESS"], value);
  }
});

Deno.test("envelopeVariables cuts RECIPIENTS to 500 bytes that end in three dots", () => {
  const exact = `${"a".repeat(249)},${"b".repeat(250)}`;
  assert.equal(variables({ recipients: exact.split(",") })["RECIPIENTS"], exact);
  const over = variables({ recipients: ["a".repeat(249), "b".repeat(251)] })["RECIPIENTS"]!;
  assert.equal(over, `${"a".repeat(249)},${"b".repeat(247)}...`);
  const many = variables({ recipients: Array.from({ length: 20_000 }, () => "") });
  assert.equal(many["RECIPIENTS"], `${",".repeat(497)}...`);
  assert.equal(many["RECIPIENTCOUNT"], "20000");
});

Deno.test("envelopeVariables counts the bytes of RECIPIENTS, and splits no character", () => {
  for (let pad = 0; pad < 4; pad++) {
    const recipient = "x".repeat(pad) + "\u{1f600}".repeat(200);
    const cut = variables({ recipients: [recipient] })["RECIPIENTS"]!;
    assert.ok(bytesOf(cut).length <= 500, `${bytesOf(cut).length} bytes`);
    assert.ok(cut.endsWith("..."));
    assert.doesNotMatch(cut, /\ufffd/);
    assert.ok(cut.isWellFormed());
  }
  // The replacement for octets that were no UTF-8 is a character like any other.
  const spoilt = variables({ recipients: ["a".repeat(300), "\ufffd".repeat(100)] })["RECIPIENTS"]!;
  assert.equal(spoilt, `${"a".repeat(300)},${"\ufffd".repeat(65)}...`);
});
