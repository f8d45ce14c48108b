// The decision about a message, and what each check found.
//
// The session carries out the decision as it is. The findings are for the log and for anything that counts or shows
// them.

import { formatReply, type Reply } from "../smtp/reply.ts";
import type { Message } from "./message.ts";
import type { Verdict } from "./verdict.ts";

export interface Judgement {
  readonly decision: Decision;
  /**
   * The findings in the order of the checks. But the finding of a check that refuses the message is the last. A check
   * that was not asked, or that a refusal stopped, has no finding.
   */
  readonly findings: readonly Finding[];
  /** Milliseconds from the first question to the decision. */
  readonly time: number;
}

export interface Finding {
  /** The name of the check. */
  readonly check: string;
  readonly verdict: Verdict;
  /** Milliseconds that the check took. */
  readonly time: number;
}

/** `why` is for the log. */
export type Decision = Passing | Refused;

/** `message` is the message as the checks have left it. `unchecked`: no check looked at it, or none could decide. */
export interface Passing {
  readonly kind: "pass" | "replace" | "unchecked";
  readonly why: string;
  readonly message: Message;
}

/** `refused`: postprox cannot handle the message, although no check decided so. A `discard` delivers nothing either. */
export interface Refused {
  readonly kind: "reject" | "defer" | "discard" | "quarantine" | "refused";
  readonly why: string;
  readonly reply: Reply;
}

/** RFC 3463: 4.3.1, mail system full; 4.3.0, other or undefined mail system status. */
export const NO_SPACE = formatReply("452 4.3.1 Insufficient system storage");
export const NOT_HANDLED = formatReply("451 4.3.0 Message could not be handled, try again later");

/** Why a message was not checked as it should be; undefined if it was, or if a check refused it anyway. */
export function failureIn(findings: readonly Finding[]): string | undefined {
  const verdicts = findings.map(({ verdict }) => verdict);
  if (verdicts.some((verdict) => "reply" in verdict)) return undefined;
  const last = verdicts.at(-1);
  // This cause decides alone.
  if (last?.kind === "unsure" && last.cause === "no means") return last.why;
  return verdicts.map(failureOf).find((failure) => failure !== undefined);
}

function failureOf(verdict: Verdict): string | undefined {
  return verdict.kind === "unsure" ? verdict.why : verdict.kind === "spoilt" ? verdict.failure : undefined;
}
