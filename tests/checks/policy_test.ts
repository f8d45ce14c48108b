// Tests of lib/checks/policy.ts: each verdict under each action, -r, --on-error and --dry-run.

import assert from "node:assert/strict";
import { type Action, ACTIONS, type OnError, policyOf, type PolicyOptions } from "../../lib/checks/policy.ts";
import type { Verdict } from "../../lib/mail/verdict.ts";
import { formatReply } from "../../lib/smtp/reply.ts";
import { textOf } from "../../lib/text/octets.ts";
import { FakeRuntime } from "../fakes/runtime.ts";
import { newSpool } from "../fakes/spool.ts";

const { spool } = newSpool(new FakeRuntime().files);

/** How a message is refused, with what reply; or what else follows; or nothing: it passes. */
type Outcome = readonly [kind: string, text?: string] | undefined;

function outcomeOf(verdict: Verdict, options: PolicyOptions, check = "clamd"): Outcome {
  const settled = policyOf(options)({ check, verdict, time: 1 });
  if (!settled) return undefined;
  if (!("reply" in settled)) return settled.kind === "tag" ? [settled.kind, settled.text] : [settled.kind];
  assert.deepEqual([settled.why, settled.check], [verdict.why, check]);
  return [settled.kind, textOf(settled.reply.bytes).trimEnd()];
}

const NOT_CHECKED = ["defer", "451 4.3.0 Message could not be checked, try again later"] as const;
const NOT_HANDLED = ["refused", "451 4.3.0 Message could not be handled, try again later"] as const;
const NO_SPACE = ["refused", "452 4.3.1 Insufficient system storage"] as const;

const FAILED: Verdict = { kind: "unsure", cause: "failed", why: "clamd is silent" };
const LATE: Verdict = { kind: "unsure", cause: "late", why: "clamd is slow" };

const UNSURE: readonly [
  verdict: Verdict,
  check: string,
  onError: OnError | undefined,
  without: Outcome,
  withR: Outcome,
][] = [FAILED, LATE].flatMap((verdict) =>
  [
    // Nothing of what only the log should hear is in the reply, and it is never a 5xx.
    [verdict, "clamd", undefined, undefined, NOT_CHECKED],
    [verdict, "clamd", "pass", undefined, undefined],
    [verdict, "clamd", "tempfail", NOT_CHECKED, NOT_CHECKED],
    [verdict, "command", undefined, undefined, NOT_CHECKED],
    // It had an answer of its own before there were options for that.
    [verdict, "extchk", undefined, NOT_CHECKED, NOT_CHECKED],
    [verdict, "extchk", "pass", undefined, undefined],
    [verdict, "extchk", "tempfail", NOT_CHECKED, NOT_CHECKED],
  ] as const
);

Deno.test("policyOf: a failure passes or is a 451, by -r, --on-error and the check", () => {
  for (const [verdict, check, onError, without, withR] of UNSURE) {
    for (const rejectUnsure of [false, true]) {
      const options = {
        rejectUnsure,
        onError: new Map<string, OnError>([["other", "tempfail"], ...onError ? [[check, onError] as const] : []]),
        // An action is for what a check refuses.
        actions: new Map<string, Action>([[check, "discard"]]),
      };
      assert.deepEqual(outcomeOf(verdict, options, check), rejectUnsure ? withR : without, `${check} ${onError}`);
      assert.equal(outcomeOf(verdict, { ...options, dryRun: true }, check), undefined);
    }
  }
});

const ALWAYS: readonly [verdict: Verdict, outcome: Outcome][] = [
  [{ kind: "accept", why: "clean" }, undefined],
  [{ kind: "replace", why: "rewritten", content: spool }, undefined],
  // Strangers may have used up what is missing.
  [{ kind: "unsure", cause: "no means", why: "no process", isFull: false }, NOT_HANDLED],
  [{ kind: "unsure", cause: "no means", why: "no room", isFull: true }, NO_SPACE],
  [{ kind: "spoilt", why: "changed" }, NOT_HANDLED],
  [{ kind: "spoilt", why: "changed", failure: "died" }, NOT_HANDLED],
];

Deno.test("policyOf: what has no opinion does not depend on any option, but a dry run lets it pass", () => {
  for (const [verdict, outcome] of ALWAYS) {
    for (const rejectUnsure of [false, true]) {
      for (const action of ACTIONS) {
        const options: PolicyOptions = {
          rejectUnsure,
          actions: new Map([["clamd", action]]),
          onError: new Map([["clamd", "pass"]]),
          keeps: true,
        };
        assert.deepEqual(outcomeOf(verdict, options), outcome, verdict.why);
        assert.equal(outcomeOf(verdict, { ...options, dryRun: true }), undefined, verdict.why);
      }
    }
  }
});

const REJECT: Verdict = { kind: "reject", why: "spam", reply: formatReply("554 5.7.1 virus found: X") };
const DEFER: Verdict = { kind: "defer", why: "greylisted", reply: formatReply("450 4.7.0 Later") };
const DISCARD: Verdict = { kind: "discard", why: "unwanted", reply: formatReply("250 2.6.0 gone") };
const QUARANTINE: Verdict = { kind: "quarantine", why: "odd", reply: formatReply("550 5.7.1 Spam message rejected") };

const DISCARDED = "250 2.0.0 Ok: discarded";

/** `kept` is the outcome where there is a quarantine, if that is another one. */
const CAUGHT: readonly [verdict: Verdict, action: Action | undefined, outcome: Outcome, kept?: Outcome][] = [
  [REJECT, undefined, ["reject", "554 5.7.1 virus found: X"]],
  [REJECT, "reject", ["reject", "554 5.7.1 virus found: X"]],
  [REJECT, "tempfail", ["defer", "451 4.7.1 virus found: X"]],
  [REJECT, "discard", ["discard", DISCARDED]],
  [REJECT, "quarantine", ["quarantine", DISCARDED]],
  [REJECT, "tag", ["tag", "virus found: X"]],
  [REJECT, "log", ["log"]],
  // It stays temporary.
  [DEFER, undefined, ["defer", "450 4.7.0 Later"]],
  [DEFER, "reject", ["defer", "450 4.7.0 Later"]],
  [DEFER, "tempfail", ["defer", "450 4.7.0 Later"]],
  [DEFER, "discard", ["defer", "450 4.7.0 Later"]],
  [DEFER, "quarantine", ["defer", "450 4.7.0 Later"]],
  [DEFER, "tag", ["defer", "450 4.7.0 Later"]],
  [DEFER, "log", ["log"]],
  // The check has its own words for that.
  [DISCARD, undefined, ["discard", "250 2.6.0 gone"]],
  [DISCARD, "reject", ["discard", "250 2.6.0 gone"]],
  [DISCARD, "tempfail", ["defer", "451 4.7.1 Content rejected"]],
  [DISCARD, "discard", ["discard", "250 2.6.0 gone"]],
  [DISCARD, "quarantine", ["quarantine", "250 2.6.0 gone"]],
  [DISCARD, "tag", ["tag", "Content rejected"]],
  [DISCARD, "log", ["log"]],
  [QUARANTINE, undefined, ["reject", "550 5.7.1 Spam message rejected"], ["quarantine", DISCARDED]],
  [QUARANTINE, "reject", ["reject", "550 5.7.1 Spam message rejected"], ["quarantine", DISCARDED]],
  [QUARANTINE, "tempfail", ["defer", "451 4.7.1 Spam message rejected"]],
  [QUARANTINE, "discard", ["discard", DISCARDED]],
  [QUARANTINE, "quarantine", ["quarantine", DISCARDED]],
  [QUARANTINE, "tag", ["tag", "Spam message rejected"]],
  [QUARANTINE, "log", ["log"]],
];

Deno.test("policyOf: what follows from a catch, by --action", () => {
  for (const [verdict, action, outcome, kept = outcome] of CAUGHT) {
    for (const rejectUnsure of [false, true]) {
      for (const keeps of [false, true]) {
        const actions = new Map<string, Action>([["other", "log"], ...action ? [["clamd", action] as const] : []]);
        const options = { rejectUnsure, actions, keeps, onError: new Map([["clamd", "pass"] as const]) };
        assert.deepEqual(outcomeOf(verdict, options), keeps ? kept : outcome, `${verdict.kind} ${action}`);
        assert.deepEqual(outcomeOf(verdict, { ...options, dryRun: true }), ["log"], `${verdict.kind} ${action}`);
      }
    }
  }
});

Deno.test("policyOf: the text of a check is without its codes, and fits into a line", () => {
  const rows: readonly [reply: string, text: string][] = [
    ["550 5.7.1 HOST is listed", "HOST is listed"],
    ["550 No codes", "No codes"],
    ["552 5.7.1", "Content rejected"],
    ["554 5.7.1  ", "Content rejected"],
    ["554", "Content rejected"],
    ["554 5.7 1 odd", "5.7 1 odd"],
    ["554 1000.7.1 odd", "1000.7.1 odd"],
    [`554 ${"x".repeat(506)}`, "x".repeat(506)],
  ];
  for (const [reply, text] of rows) {
    const verdict: Verdict = { kind: "reject", why: "bad", reply: formatReply(reply) };
    const outcome = (action: Action) =>
      outcomeOf(verdict, { rejectUnsure: false, actions: new Map([["clamd", action]]) })?.[1];
    assert.equal(outcome("tag"), text);
    assert.equal(outcome("tempfail"), `451 4.7.1 ${text}`.slice(0, 510));
  }
});
