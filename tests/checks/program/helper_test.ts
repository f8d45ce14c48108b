// Tests of lib/checks/program/helper.ts and what it stands on: programs that stay, asked one question at a time.

import assert from "node:assert/strict";
import { helperCheck, type HelperOptions } from "../../../lib/checks/program/helper.ts";
import type { Check } from "../../../lib/checks/check.ts";
import { messageOf } from "../../../lib/mail/message.ts";
import type { Verdict } from "../../../lib/mail/verdict.ts";
import { IoError } from "../../../lib/ports/io_error.ts";
import { bytesOf, textOf } from "../../../lib/text/octets.ts";
import type { FakeTalkingChild } from "../../fakes/processes.ts";
import { FakeRuntime } from "../../fakes/runtime.ts";
import { settled } from "../../fakes/settled.ts";
import { fillSpool, MAIL, newSpool } from "../../fakes/spool.ts";

const TIMEOUT = 30_000;

class Bed {
  readonly runtime = new FakeRuntime();
  readonly notices: string[] = [];
  readonly check: Check;
  #messages = 0;

  constructor({ count = 1, ...options }: Partial<HelperOptions> = {}) {
    const { clock, processes } = this.runtime;
    const exit = { allowDiscard: false, strictExit: false, exitStatus: new Map() };
    this.check = helperCheck(
      {
        clock,
        processes,
        onLine: (line) => this.notices.push(`said: ${line}`),
        onFailure: (why, pause) => this.notices.push(`${why}, pause ${pause}`),
      },
      { command: "filter $x", count, timeout: TIMEOUT, editInPlace: false, ...exit, ...options },
    );
    this.check.start!();
  }

  get children(): readonly FakeTalkingChild[] {
    return this.runtime.processes.children as FakeTalkingChild[];
  }

  get last(): FakeTalkingChild {
    return this.children.at(-1)!;
  }

  async judge({ limit = 90_000 } = {}): Promise<{ verdict?: Verdict; abort(): void }> {
    const { spool, files } = newSpool(this.runtime.files, { name: `postprox-1-${this.#messages++}` });
    await fillSpool(spool, bytesOf("text\n"));
    const aborter = new AbortController();
    const judged: { verdict?: Verdict; abort(): void } = { abort: () => aborter.abort() };
    const options = { signal: aborter.signal, limit, notice: () => {}, files };
    void this.check.judge(messageOf(MAIL, spool), options).then((verdict) => judged.verdict = verdict);
    await settled();
    return judged;
  }

  /** A message that the program passes. */
  async pass(): Promise<void> {
    const judged = await this.judge();
    answer(this.last, { exit: 0 });
    await settled();
    assert.equal(judged.verdict?.kind, "accept");
  }
}

interface Asked {
  readonly id: number;
  readonly email: string;
  readonly outfile: string;
}

function question(child: FakeTalkingChild): Asked {
  return JSON.parse(child.heard.trimEnd().split("\n").at(-1)!);
}

function answer(child: FakeTalkingChild, words: { id?: number; exit: number; text?: string }): void {
  child.answer(`${JSON.stringify({ id: question(child).id, ...words })}\n`);
}

Deno.test("the programs are started once, by a shell, and asked again and again", async () => {
  const bed = new Bed({ count: 3 });
  assert.deepEqual(bed.children.map(({ words }) => words), Array(3).fill(["/bin/sh", "-c", "filter $x"]));
  const ids = new Set<number>();
  for (let count = 0; count < 5; count++) {
    const judged = await bed.judge();
    const asked = bed.children.find(({ heard }) => heard !== "")!;
    const { id, email, outfile, ...others } = JSON.parse(asked.heard);
    ids.add(id);
    assert.equal(textOf(bed.runtime.files.octetsOf(email)), "text\n");
    assert.equal(textOf(bed.runtime.files.octetsOf(outfile)), "");
    const { envelope, client } = MAIL;
    assert.deepEqual(others, {
      sender: envelope.sender ?? "",
      recipients: envelope.recipients,
      remoteip: client.facts.address ?? "",
      helo: client.facts.helo ?? "",
      size: 5,
    });
    answer(asked, { exit: 0 });
    await settled();
    assert.deepEqual(judged.verdict, { kind: "accept", why: "filter passed" });
    asked.heard = "";
  }
  assert.equal(bed.children.length, 3);
  assert.deepEqual(bed.notices, []);
});

Deno.test("an answer means what the same end of a filter command means", async () => {
  const bed = new Bed({ allowDiscard: true, exitStatus: new Map([[9, "tempfail"]]) });
  const rows: [words: { exit: number; text?: string }, kind: string, reply?: string][] = [
    [{ exit: 1, text: "550 5.7.1 no" }, "reject", "550 5.7.1 no\r\n"],
    [{ exit: 1 }, "reject", "554 5.7.1 Content rejected\r\n"],
    [{ exit: 1, text: "250 gone" }, "discard", "250 gone\r\n"],
    [{ exit: 9, text: "later" }, "defer", "451 later\r\n"],
    [{ exit: 2, text: "oops" }, "unsure"],
  ];
  for (const [words, kind, reply] of rows) {
    const judged = await bed.judge();
    answer(bed.last, words);
    await settled();
    const { verdict } = judged;
    assert.equal(verdict?.kind, kind);
    if (reply) assert.equal(verdict && "reply" in verdict && textOf(verdict.reply.bytes), reply);
  }
  assert.equal(bed.children.length, 1);
});

Deno.test("what the program leaves in OUTFILE is the message, and what it does to EMAIL spoils it", async () => {
  const bed = new Bed();
  const changed = await bed.judge();
  bed.runtime.files.overwrite(question(bed.last).outfile, bytesOf("other\n"));
  answer(bed.last, { exit: 0 });
  await settled();
  assert.equal(changed.verdict?.kind, "replace");
  const spoilt = await bed.judge();
  bed.runtime.files.overwrite(question(bed.last).email, bytesOf("other\n"));
  answer(bed.last, { exit: 0 });
  await settled();
  assert.equal(spoilt.verdict?.kind, "spoilt");
});

Deno.test("one question at a time: the next one waits for the first program that is free", async () => {
  const bed = new Bed({ count: 2 });
  const judged = [await bed.judge(), await bed.judge(), await bed.judge()];
  assert.deepEqual(bed.children.map(({ heard }) => heard.split("\n").length - 1), [1, 1]);
  answer(bed.children[1]!, { exit: 0 });
  await settled();
  assert.deepEqual(judged.map(({ verdict }) => verdict?.kind), [undefined, "accept", undefined]);
  assert.deepEqual(bed.children.map(({ heard }) => heard.split("\n").length - 1), [1, 2]);
  answer(bed.children[1]!, { exit: 0 });
  await settled();
  assert.deepEqual(judged.map(({ verdict }) => verdict?.kind), [undefined, "accept", "accept"]);
});

const FAILURES: Readonly<Record<string, [deed: (child: FakeTalkingChild) => void, why: RegExp]>> = {
  "ends": [(child) => child.exit(3, "Traceback\n"), /ended with exit status 3: Traceback/],
  "dies": [(child) => child.die("SIGSEGV"), /died of SIGSEGV/],
  "says nonsense": [(child) => child.answer("ok\n"), /wrong answer and was killed: it is no JSON: ok/],
  "answers another id": [(child) => answer(child, { id: 99, exit: 0 }), /not for the question/],
  "says something without an end": [(child) => child.answer("x".repeat(70_000)), /no JSON/],
  "closes its output": [(child) => child.closeStdout(), /closed its output/],
};

for (const [deed, [play, why]] of Object.entries(FAILURES)) {
  Deno.test(`a program that ${deed} is killed with its group and started again, and its message is not judged`, async () => {
    const bed = new Bed();
    await bed.pass();
    const [child] = bed.children;
    const judged = await bed.judge();
    play(child!);
    if (!child!.isEnded) assert.equal(judged.verdict, undefined);
    if (deed === "ends" || deed === "dies") child!.closeStdout();
    await bed.runtime.clock.advance(300);
    assert.equal(judged.verdict?.kind, "unsure");
    assert.match(judged.verdict.why, why);
    assert.match(bed.notices.at(-1)!, why);
    assert.match(bed.notices.at(-1)!, /, pause 0$/);
    assert.deepEqual(child!.signals, ["SIGTERM"]);
    await bed.runtime.clock.advance(1000);
    assert.deepEqual(child!.signals, ["SIGTERM", "SIGKILL"]);
    assert.equal(bed.children.length, 2);
    await bed.pass();
  });
}

Deno.test("a program that reads no question any more is killed at once, although it runs on", async () => {
  const bed = new Bed();
  await bed.pass();
  const [child] = bed.children;
  child!.write = () => Promise.reject(new IoError("reset", "broken pipe"));
  const judged = await bed.judge();
  await bed.runtime.clock.advance(1000);
  assert.equal(judged.verdict?.kind, "unsure");
  assert.match(judged.verdict.why, /^helper read no question and was killed: broken pipe$/);
  assert.equal(child!.signals[0], "SIGTERM");
  await bed.pass();
});

Deno.test("a program whose end the system cannot tell is started again", async () => {
  const bed = new Bed();
  bed.last.exit(0);
  bed.runtime.processes.onStart = (child) => {
    Object.defineProperty(child, "ended", { value: Promise.reject(new IoError("other", "cannot wait")) });
    bed.runtime.processes.onStart = () => {};
  };
  bed.last.closeStdout();
  await settled();
  bed.last.closeStdout();
  await bed.runtime.clock.advance(300);
  assert.match(bed.notices.at(-1)!, /^helper ended, but nobody knows how, pause 1000$/);
  await bed.runtime.clock.advance(1000);
  await bed.pass();
});

Deno.test("a program that does not answer within -t is killed, and its message was late", async () => {
  const bed = new Bed();
  const judged = await bed.judge();
  await bed.runtime.clock.advance(TIMEOUT - 1);
  assert.equal(judged.verdict, undefined);
  await bed.runtime.clock.advance(1);
  assert.deepEqual(judged.verdict, {
    kind: "unsure",
    cause: "late",
    why: "helper gave no answer within 30 s and was killed",
  });
  assert.deepEqual(bed.children[0]!.signals, ["SIGTERM"]);
  await bed.pass();
});

Deno.test("a program that speaks unasked is killed and started again", async () => {
  const bed = new Bed();
  await settled();
  bed.last.answer(`{"id":1,"exit":0}\n`);
  await settled();
  assert.deepEqual(bed.children.map(({ signals }) => signals), [["SIGTERM"], []]);
  await bed.pass();
});

Deno.test("a program that fails again and again is started after pauses that grow to 30 s", async () => {
  const bed = new Bed();
  const start = bed.runtime.clock.now();
  const starts: number[] = [];
  bed.runtime.processes.onStart = (child) => {
    starts.push(bed.runtime.clock.now() - start);
    child.exit(127, "not found\n");
    (child as FakeTalkingChild).closeStdout();
  };
  bed.last.exit(127);
  bed.last.closeStdout();
  await bed.runtime.clock.advance(100_000);
  assert.deepEqual(starts, [0, 1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000]);
  assert.match(bed.notices.at(-1)!, /ended with exit status 127: not found, pause 30000$/);
  // The wait would be of no use.
  const judged = await bed.judge();
  assert.equal(judged.verdict?.kind, "unsure");
  assert.match(judged.verdict.why, /no helper runs: helper ended with exit status 127/);
  // Once it works again, its record is clean.
  bed.runtime.processes.onStart = () => {};
  await bed.runtime.clock.advance(30_000);
  await bed.pass();
  bed.last.die("SIGKILL");
  bed.last.closeStdout();
  await settled();
  assert.match(bed.notices.at(-1)!, /, pause 0$/);
});

Deno.test("a program that cannot be started is tried again", async () => {
  const bed = new Bed();
  bed.runtime.processes.refusal = "exhausted";
  bed.last.die("SIGKILL");
  bed.last.closeStdout();
  await settled();
  assert.match(bed.notices.at(-1)!, /could not be started: .*, pause 1000$/);
  const waits = await bed.judge();
  bed.runtime.processes.refusal = undefined;
  await bed.runtime.clock.advance(1000);
  answer(bed.last, { exit: 0 });
  await settled();
  assert.equal(waits.verdict?.kind, "accept");
});

Deno.test("a message that nobody waits for gives the program a moment, and then is over", async () => {
  const bed = new Bed();
  const quick = await bed.judge();
  quick.abort();
  await settled();
  assert.equal(Object.hasOwn(quick, "verdict"), false);
  answer(bed.last, { exit: 0 });
  await settled();
  assert.equal(quick.verdict?.kind, "unsure");
  assert.equal(bed.children.length, 1);

  const slow = await bed.judge();
  const waiting = await bed.judge();
  waiting.abort();
  slow.abort();
  await settled();
  assert.equal(waiting.verdict?.kind, "unsure");
  await bed.runtime.clock.advance(1000);
  assert.equal(slow.verdict?.kind, "unsure");
  assert.deepEqual(bed.children[0]!.signals, ["SIGTERM"]);
  // No failure of the program: it is there again at once, and no line says anything.
  assert.equal(bed.children.length, 2);
  assert.deepEqual(bed.notices, []);
});

Deno.test("the time of a message bounds the wait for a program, and for its answer", async () => {
  const bed = new Bed();
  const asked = await bed.judge({ limit: 20_000 });
  const waiting = await bed.judge({ limit: 10_000 });
  await bed.runtime.clock.advance(10_000);
  assert.deepEqual(waiting.verdict, {
    kind: "unsure",
    cause: "late",
    why: "no helper was free within the 10 s left of --message-timeout",
  });
  await bed.runtime.clock.advance(11_000);
  assert.deepEqual(asked.verdict, {
    kind: "unsure",
    cause: "late",
    why: "helper gave no answer within the 20 s left of --message-timeout",
  });
});

Deno.test("standard error goes to the log, so many lines in a minute", async () => {
  const bed = new Bed();
  bed.last.say("one\n\ntw");
  bed.last.say("o\n");
  await settled();
  assert.deepEqual(bed.notices, ["said: one", "said: two"]);
  bed.last.say("more\n".repeat(1000));
  await settled();
  assert.equal(bed.notices.length, 100);
  assert.match(bed.notices.at(-1)!, /left out for a minute/);
  await bed.runtime.clock.advance(60_000);
  bed.last.say("again\n");
  await settled();
  assert.equal(bed.notices.at(-1), "said: again");
});

Deno.test("retired, each program hears the end of its input, and is killed if that is not enough", async () => {
  const bed = new Bed({ count: 2 });
  await bed.judge();
  let isOver = false;
  void bed.check.retire!().then(() => isOver = true);
  await settled();
  assert.deepEqual(bed.children.map(({ isHungUp }) => isHungUp), [true, true]);
  assert.deepEqual(bed.children.map(({ signals }) => signals), [[], []]);
  bed.children[0]!.exit(0);
  bed.children[1]!.ignoresTerm = true;
  await settled();
  assert.equal(isOver, false);
  await bed.runtime.clock.advance(2000);
  assert.equal(isOver, true);
  assert.deepEqual(bed.children[1]!.signals.slice(0, 2), ["SIGTERM", "SIGKILL"]);
  assert.equal(bed.children.length, 2);
  assert.equal(bed.runtime.clock.pending, 0);
});
