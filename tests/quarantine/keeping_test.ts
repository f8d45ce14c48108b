// Tests of lib/quarantine/keeping.ts: which decisions are kept, and what follows if that fails.

import assert from "node:assert/strict";
import type { Judge, JudgeOptions } from "../../lib/checks/check.ts";
import type { Decision } from "../../lib/mail/judgement.ts";
import { keeping } from "../../lib/quarantine/keeping.ts";
import type { Reason } from "../../lib/quarantine/quarantine.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { formatReply, replyText } from "../../lib/smtp/reply.ts";
import { SpoolFiles } from "../../lib/spool/files.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeDisk } from "../fakes/disk.ts";
import { ALONE } from "../fakes/spool.ts";
import { message } from "./kept.ts";

interface Played {
  readonly decision: Decision;
  /** The messages that the quarantine was given. */
  readonly kept: readonly { outcome: string; check: string; reason: string; reply: string; limit: number }[];
}

/** Lets a judge decide after `took` milliseconds, of 8000 that it has. */
async function play(
  decision: Decision,
  { failure, took = 0, aborted = false }: { failure?: Error; took?: number; aborted?: boolean } = {},
): Promise<Played> {
  const clock = new FakeClock();
  const disk = new FakeDisk(clock);
  const kept: Played["kept"][number][] = [];
  const judge: Judge = {
    needsFile: false,
    judge: async () => {
      if (took > 0) await clock.advance(took);
      return { decision, findings: [], time: took };
    },
  };
  const quarantine = {
    keep: async (_: unknown, { reply, ...why }: Reason, { limit }: { limit: number }) => {
      kept.push({ ...why, reply: replyText(reply), limit });
      if (failure) throw failure;
      return "ID";
    },
  };
  const options: JudgeOptions = {
    signal: aborted ? AbortSignal.abort() : new AbortController().signal,
    limit: 8000,
    notice: () => {},
    files: new SpoolFiles(disk, { directory: "/tmp", name: "postprox-1-x", turn: ALONE }),
  };
  const judgement = await keeping(judge, quarantine, clock).judge(message(), options);
  return { decision: judgement.decision, kept };
}

const refused = (kind: "reject" | "defer" | "discard" | "quarantine" | "refused", reply: string): Decision => {
  return { kind, check: "clamd", why: "because", reply: formatReply(reply) };
};

const KEPT: readonly (readonly [Decision, boolean])[] = [
  [refused("reject", "550 5.7.1 no"), true],
  [refused("reject", "554 no"), true],
  [refused("reject", "421 4.7.1 no"), false],
  [refused("reject", "450 4.7.1 no"), false],
  [refused("defer", "451 4.7.1 no"), false],
  [refused("discard", "250 2.0.0 Ok: discarded"), true],
  [refused("quarantine", "250 2.0.0 Ok: discarded"), true],
  [refused("refused", "451 4.3.0 no"), false],
  [{ kind: "pass", why: "", message: message() }, false],
  [{ kind: "tag", check: "clamd", why: "", message: message() }, false],
  [{ kind: "unchecked", why: "", message: message() }, false],
  [{ kind: "bypass", why: "", message: message() }, false],
];

Deno.test("a message is kept that a check refuses for good, discards, or wants in quarantine, and no other", async () => {
  for (const [decision, isKept] of KEPT) {
    const { decision: after, kept } = await play(decision);
    if (!isKept) {
      assert.deepEqual([after, kept], [decision, []], decision.kind);
      continue;
    }
    assert.deepEqual(after, { ...decision, kept: "ID" });
    assert.ok("reply" in decision);
    const { kind: outcome, reply } = decision;
    assert.deepEqual(kept, [{ outcome, check: "clamd", reason: "because", reply: replyText(reply), limit: 9000 }]);
  }
});

Deno.test("a copy that fails changes no refusal, and makes everything else a refusal for now", async () => {
  const failure = new IoError("no-space", "no room");
  for (const [decision] of KEPT.filter(([, isKept]) => isKept)) {
    const { decision: after } = await play(decision, { failure });
    assert.ok("reply" in after && after.notKept === "no room" && after.check === "clamd" && after.kept === undefined);
    if (decision.kind === "reject") {
      assert.deepEqual({ ...after, notKept: undefined }, { ...decision, notKept: undefined });
    } else assert.match(replyText(after.reply), /^451 4\.3\.0 /);
  }
  await assert.rejects(play(KEPT[0]![0], { failure: new TypeError("a bug") }), TypeError);
});

Deno.test("the copy has the time that is left of the message's own", async () => {
  const { kept: [first] } = await play(KEPT[0]![0], { took: 7900 });
  assert.equal(first?.limit, 1100);
});

Deno.test("nothing is kept for a client that has left", async () => {
  const { kept, decision } = await play(KEPT[0]![0], { aborted: true });
  assert.deepEqual([kept, decision], [[], KEPT[0]![0]]);
});
