// Tests of lib/checks/program/extchk.ts: what the checker gets, what its end means, and what it does to the message.

import assert from "node:assert/strict";
import { checkerArguments, externalChecker } from "../../../lib/checks/program/extchk.ts";
import { type Content, type Message, messageOf } from "../../../lib/mail/message.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import type { Spool } from "../../../lib/spool/spool.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { fillSpool, MAIL, newSpool, readAll } from "../../fakes/spool.ts";
import type { FakeChild } from "../../fakes/processes.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { settled } from "../../fakes/settled.ts";

const FILE = "/tmp/postprox-1-0.eml";

interface Run {
  readonly runtime: FakeRuntime;
  readonly child: FakeChild;
  readonly spool: Spool;
  readonly abort: () => void;
  /** The verdict so far. */
  verdict(): Promise<Verdict | undefined>;
}

async function run(options: { text?: string; limit?: number; runtime?: FakeRuntime } = {}): Promise<Run> {
  const runtime = options.runtime ?? new FakeRuntime();
  const { spool, files } = newSpool(runtime.files);
  await fillSpool(spool, bytesOf(options.text ?? "text\n"));
  const check = externalChecker(runtime, { path: "/usr/lib/check", timeout: 30_000 });
  const aborter = new AbortController();
  let verdict: Verdict | undefined;
  const judgeOptions = {
    signal: aborter.signal,
    limit: options.limit ?? 90_000,
    notice: () => {},
    files,
  };
  void check.judge(messageOf(MAIL, spool), judgeOptions).then((given) => verdict = given);
  await settled();
  return {
    runtime,
    spool,
    child: runtime.processes.children[0]!,
    abort: () => aborter.abort(),
    verdict: async () => {
      await settled();
      if (verdict) assert.equal(runtime.clock.pending, 0, "a timer is left");
      return verdict;
    },
  };
}

async function textIn(content: Content): Promise<string> {
  return textOf(await readAll(content));
}

Deno.test("checkerArguments gives the envelope, with a stranger's words as they are", () => {
  const rows: readonly [
    envelope: Partial<Message["envelope"]>,
    client: string | undefined,
    words: readonly string[],
  ][] = [
    [
      { sender: "a@b", recipients: ["c@d", "e@f"] },
      "192.0.2.1",
      ["-s", "F", "-a", "192.0.2.1", "-f", "a@b", "-t", "2", "c@d", "e@f"],
    ],
    // The null sender, and what is not known.
    [{ sender: "", recipients: ["c@d"] }, undefined, ["-s", "F", "-a", "", "-f", "<>", "-t", "1", "c@d"]],
    [{ sender: undefined }, undefined, ["-s", "F", "-a", "", "-f", "", "-t", "0"]],
    // Nothing is taken out or quoted.
    [
      { sender: "$(id)", recipients: ["-x@d", "a b;c", "'\""] },
      "2001:db8::1",
      ["-s", "F", "-a", "2001:db8::1", "-f", "$(id)", "-t", "3", "-x@d", "a b;c", "'\""],
    ],
  ];
  for (const [envelope, client, words] of rows) {
    assert.deepEqual(checkerArguments("F", { ...MAIL.envelope, ...envelope }, client), words);
  }
});

Deno.test("externalChecker executes the program without a shell, with the whole message in its file", async () => {
  const { child, runtime, verdict } = await run();
  assert.deepEqual(child.words.slice(0, 3), ["/usr/lib/check", "-s", FILE]);
  assert.equal(textOf(runtime.files.octetsOf(FILE)), "text\n");
  child.exit(0);
  assert.equal((await verdict())?.kind, "accept");
});

Deno.test("externalChecker: 0 passes, 1 is 552, and all else is no opinion", async () => {
  const rows: readonly { end: (child: FakeChild) => void; kind: Verdict["kind"]; reply?: RegExp; why?: RegExp }[] = [
    { end: (child) => child.exit(0, "550 no\n"), kind: "accept" },
    { end: (child) => child.exit(1), kind: "reject", reply: /^552 5\.7\.1 / },
    // The text is for the log.
    {
      end: (child) => child.exit(1, "first\n250 secret\n"),
      kind: "reject",
      reply: /^552 5\.7\.1 (?!.*secret)/,
      why: /250 secret/,
    },
    { end: (child) => child.exit(2, "disk\n"), kind: "unsure", why: /status 2: disk/ },
    { end: (child) => child.exit(75), kind: "unsure" },
    { end: (child) => child.exit(255), kind: "unsure" },
    { end: (child) => child.die("SIGSEGV"), kind: "unsure", why: /SIGSEGV/ },
  ];
  for (const { end, kind, reply, why } of rows) {
    const { child, verdict } = await run();
    end(child);
    const given = await verdict();
    assert.ok(given?.kind === kind);
    if (given.kind === "unsure") assert.equal(given.cause, "failed");
    if (reply) assert.match("reply" in given! ? textOf(given.reply.bytes) : "", reply);
    if (why) assert.match(given!.why, why);
  }
});

Deno.test("externalChecker that takes too long is stopped, whatever it then says, and is late", async () => {
  for (const limit of [90_000, 5_000]) {
    const { child, runtime: { clock }, verdict } = await run({ limit });
    child.ignoresTerm = true;
    await clock.advance(Math.min(30_000, limit));
    assert.deepEqual(child.signals, ["SIGTERM"]);
    child.exit(0);
    const given = await verdict();
    assert.ok(given?.kind === "unsure" && given.cause === "late");
    assert.match(
      given.why,
      limit === 90_000 ? /longer than 30 s and/ : /longer than the 5 s left of --message-timeout/,
    );
  }
});

Deno.test("externalChecker stops the program when nobody waits for it any more", async () => {
  const { abort, child, verdict } = await run();
  abort();
  assert.deepEqual(child.signals.slice(0, 1), ["SIGTERM"]);
  assert.ok(await verdict());
});

Deno.test("externalChecker that cannot be started, for example with too long arguments, has no opinion", async () => {
  const runtime = new FakeRuntime();
  runtime.processes.refusal = "other";
  const given = await (await run({ runtime })).verdict();
  assert.ok(given?.kind === "unsure" && /could not be started/.test(given.why));
});

const LARGE = "x".repeat(399_999) + "\n";

Deno.test("externalChecker passes the program's version of the file, large or small", async () => {
  type Change = (files: FakeRuntime["files"]) => void;
  const rows: readonly [what: string, change: Change, kind: Verdict["kind"], text?: string][] = [
    ["nothing", () => {}, "accept"],
    ["added to", (files) => files.overwrite(FILE, bytesOf("text\ntagline\n")), "replace", "text\ntagline\n"],
    ["renamed over", (files) => files.replace(FILE, bytesOf("other\n")), "replace", "other\n"],
    // These can only be mistakes.
    ["removed", (files) => files.unlink(FILE), "unsure"],
    ["emptied", (files) => files.overwrite(FILE, new Uint8Array(0)), "spoilt"],
    ["made a directory", (files) => files.replace(FILE, new Uint8Array(0), "directory"), "spoilt"],
  ];
  for (const text of ["text\n", LARGE]) {
    for (const [what, change, kind, changed] of rows) {
      const { child, runtime, spool, verdict } = await run({ text });
      await runtime.clock.advance(10);
      change(runtime.files);
      child.exit(0);
      const given = await verdict();
      assert.equal(given?.kind, kind, what);
      if (given?.kind === "replace") assert.equal(await textIn(given.content), changed, what);
      if (given?.kind === "accept") assert.ok(await textIn(spool) === text, what);
      await spool.remove();
      assert.equal(runtime.files.handles, 0, what);
    }
  }
});

Deno.test("externalChecker sees a change that keeps the size and the time of a small message", async () => {
  const { child, runtime, verdict } = await run();
  runtime.files.overwrite(FILE, bytesOf("TEXT\n"));
  child.exit(0);
  const given = await verdict();
  assert.ok(given?.kind === "replace" && await textIn(given.content) === "TEXT\n");
});

Deno.test("externalChecker that fails and has changed the only file: the message is lost", async () => {
  for (const status of [1, 2]) {
    const { child, runtime, verdict } = await run();
    runtime.files.overwrite(FILE, bytesOf("half"));
    child.exit(status);
    const given = await verdict();
    assert.ok(given?.kind === (status === 1 ? "reject" : "spoilt"));
    if (given.kind === "spoilt") assert.match(given.failure ?? "", /status 2/);
  }
});
