// Tests of lib/checks/judges.ts: who is not checked, what a dry run leaves as it came, and which fields only we may write.

import assert from "node:assert/strict";
import { chain } from "../../lib/checks/chain.ts";
import type { Check, Judge } from "../../lib/checks/check.ts";
import { bypassing, dryRun, withoutTags } from "../../lib/checks/judges.ts";
import { policyOf } from "../../lib/checks/policy.ts";
import { type Mail, type Message, messageOf } from "../../lib/mail/message.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { IoError } from "../../lib/ports/io_error.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { bytesOf, textOf } from "../../lib/text/octets.ts";
import { NETWORKS } from "../../lib/settings/kinds.ts";
import { SharedTurn } from "../../lib/wire/shared_turn.ts";
import { FakeClock } from "../fakes/clock.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { fillSpool, MAIL, newSpool, readAll } from "../fakes/spool.ts";

const TURN = new SharedTurn(new FakeClock());

const ACCEPT: Verdict = { kind: "accept", why: "clean" };
const REJECT: Verdict = { kind: "reject", why: "spam", reply: formatReply("550 5.7.1 No") };

async function spooled(text: string, client: Mail["client"] = MAIL.client) {
  const { files: disk } = new FakeRuntime();
  const { spool, files } = newSpool(disk);
  await fillSpool(spool, bytesOf(text));
  const options = { signal: new AbortController().signal, limit: 1000, notice: () => {}, files };
  return { disk, options, message: messageOf({ ...MAIL, client }, spool) };
}

async function textIn(message: Pick<Message, "chunks">): Promise<string> {
  return textOf(await readAll(message));
}

function judgeOf(verdict: (message: Message) => Promise<Verdict>, dryRun = false): Judge {
  const check: Check = { name: "command", needsFile: true, judge: verdict };
  return chain(new FakeClock(), [check], policyOf({ rejectUnsure: true, dryRun }));
}

Deno.test("bypassing: only the address of XFORWARD is looked at, and no check is asked", async () => {
  const { networks } = NETWORKS.parse("192.0.2.0/24,198.51.100.7,2001:db8::/32");
  const rows: readonly [address: string | undefined, passes: boolean][] = [
    ["192.0.2.1", true],
    ["192.0.3.1", false],
    ["198.51.100.7", true],
    ["198.51.100.8", false],
    ["::ffff:192.0.2.9", true],
    ["2001:db8:1::1", true],
    ["2001:db9::1", false],
    [undefined, false],
    ["unknown", false],
  ];
  for (const [address, passes] of rows) {
    // The peer of our own connection is Postfix, for any client.
    const client = { facts: address === undefined ? {} : { address }, address: "192.0.2.1" };
    const { message, options } = await spooled("A: 1\n\n", client);
    const judge = bypassing(judgeOf(async () => REJECT), networks);
    assert.ok(judge.needsFile);
    const { decision, findings } = await judge.judge(message, options);
    assert.equal(decision.kind, passes ? "bypass" : "reject", address);
    assert.equal(findings.length, passes ? 0 : 1);
    if ("message" in decision) assert.equal(decision.message, message);
  }
});

const TEXT = "A: 1\n\ntext\n";

Deno.test("dryRun: whatever checks find and do, the message passes as it came", async () => {
  for (const text of [TEXT, `A: 1\n\n${"x".repeat(600_000)}\n`]) {
    for (const deed of [() => bytesOf(""), () => bytesOf("half"), (octets: Uint8Array) => octets]) {
      const rows: readonly [verdict: Verdict, kind: string, would?: "reject"][] = [
        [ACCEPT, "pass"],
        [{ ...ACCEPT, header: { changes: [{ do: "add", name: "X", value: "y" }] } }, "pass"],
        [REJECT, "pass", "reject"],
        [{ ...REJECT, kind: "defer" }, "pass", "reject"],
        [{ ...REJECT, kind: "discard" }, "pass", "reject"],
        [{ kind: "unsure", cause: "failed", why: "died" }, "unchecked"],
        [{ kind: "unsure", cause: "no means", why: "no process", isFull: false }, "unchecked"],
        [{ kind: "spoilt", why: "changed" }, "unchecked"],
      ];
      for (const [verdict, kind, would] of rows) {
        const { message, options, disk } = await spooled(text);
        const judge = dryRun(judgeOf(async (message) => {
          const { path } = await message.file();
          assert.equal((await message.file()).path, path);
          assert.equal(textOf(disk.octetsOf(path)), text);
          disk.overwrite(path, deed(disk.octetsOf(path)));
          return verdict;
        }, true));
        const { decision } = await judge.judge(message, options);
        assert.equal(decision.kind, kind, verdict.kind);
        assert.ok("message" in decision && decision.message === message);
        assert.equal(decision.would, would);
        assert.ok(await textIn(decision.message) === text);
      }
    }
  }
});

Deno.test("dryRun: what a program makes of the message goes no further", async () => {
  const { message, options } = await spooled(TEXT);
  const judge = dryRun(
    judgeOf(async (message) => ({ kind: "replace", why: "changed", content: { ...message, size: 1 } })),
  );
  const { decision } = await judge.judge(message, options);
  assert.ok(decision.kind === "pass" && decision.message === message);
});

Deno.test("withoutTags: a field that strangers wrote is gone before anybody sees it", async () => {
  const rows: readonly [text: string, seen: string][] = [
    ["X-Postprox: clamd; clean\nA: 1\nx-postprox : b\n c\n\nX-Postprox: text\n", "A: 1\n\nX-Postprox: text\n"],
    [TEXT, TEXT],
  ];
  for (const [text, expected] of rows) {
    const { message, options } = await spooled(text);
    const seen: string[] = [];
    const judge = withoutTags(
      judgeOf(async (message) => {
        seen.push(await textIn(message));
        return ACCEPT;
      }),
      TURN,
    );
    const { decision } = await judge.judge(message, options);
    assert.deepEqual(seen, [expected]);
    assert.ok("message" in decision && await textIn(decision.message) === expected);
    // A message without such a field is passed on as it is.
    assert.equal("message" in decision && decision.message === message, text === expected);
  }
});

Deno.test("withoutTags: a message that cannot be read does not pass", async () => {
  for (const [kind, code] of [["other", 451], ["no-space", 452]] as const) {
    const { message, options } = await spooled(TEXT);
    const broken = {
      ...message,
      chunks: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new IoError(kind, "no disk")) }) }),
    };
    const notices: string[] = [];
    const judge = withoutTags(judgeOf(async () => ACCEPT), TURN);
    const { decision } = await judge.judge(broken, { ...options, notice: (text) => void notices.push(text) });
    assert.ok(decision.kind === "refused" && decision.reply.code === code);
    assert.match(notices.join(), /no disk/);
  }
});
