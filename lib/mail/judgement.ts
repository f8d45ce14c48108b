// The decision about a message, and what each check found.
//
// postprox carries out a decision as it is. The findings are for the log and for anything that counts or shows them.

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
  /** How long the check took, in milliseconds. */
  readonly time: number;
}

/** `why` is for the log. `check` is the check that `why` comes from, if it refuses the message or would refuse it. */
export type Decision = Passing | Refused;

export interface Passing {
  /**
   * - `replace`: a program changed the message
   * - `tag`: a check refused the message, and it passes with a field that says so
   * - `unchecked`: no check looked at the message, or no check could decide
   * - `bypass`: no check looks at mail of this client
   */
  readonly kind: "pass" | "replace" | "tag" | "unchecked" | "bypass";
  readonly why: string;
  /** The message with the changes of the checks. */
  readonly message: Message;
  readonly check?: string | undefined;
  /** A check refused the message, and the message passes as if it had not. */
  readonly would?: "reject" | undefined;
}

/**
 * `discard` and `quarantine` deliver nothing either. A `quarantine` must be kept. `refused`: postprox cannot handle the
 * message, although no check decided so.
 */
export interface Refused {
  readonly kind: "reject" | "defer" | "discard" | "quarantine" | "refused";
  readonly why: string;
  readonly reply: Reply;
  readonly check?: string | undefined;
  /** The id of the copy in the quarantine. */
  readonly kept?: string | undefined;
  /** Why there is no copy, although there should be one. */
  readonly notKept?: string | undefined;
}

/** RFC 3463: 4.3.1, mail system full; 4.3.0, other or undefined mail system status. */
export const NO_SPACE = formatReply("452 4.3.1 Insufficient system storage");
export const NOT_HANDLED = formatReply("451 4.3.0 Message could not be handled, try again later");
export const NOT_CHECKED = formatReply("451 4.3.0 Message could not be checked, try again later");

/** A check that could not decide, and the reason for the log. */
export interface Failure {
  readonly check: string;
  readonly why: string;
}

/** The first failure; undefined if all checks decided, or if the message is refused for another reason. */
export function failureIn({ decision, findings }: Pick<Judgement, "decision" | "findings">): Failure | undefined {
  if ("reply" in decision && decision.kind !== "refused" && decision.reply !== NOT_CHECKED) return undefined;
  const last = findings.at(-1);
  // Without means, the last check decides alone.
  if (last?.verdict.kind === "unsure" && last.verdict.cause === "no means") return failureOf(last);
  return findings.map(failureOf).find((failure) => failure !== undefined);
}

function failureOf({ check, verdict }: Finding): Failure | undefined {
  const why = verdict.kind === "unsure" ? verdict.why : verdict.kind === "spoilt" ? verdict.failure : undefined;
  return why === undefined ? undefined : { check, why };
}
