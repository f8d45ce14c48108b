// What may become of a message.
//
// A check answers with a `Verdict`. "Could not tell" (`unsure`) is a member of its own, so that no failure of a check can
// be taken for an opinion; `settle` is the one place where -r decides what it means.

import { formatReply, type Reply } from "../smtp/reply.ts";
import type { Content } from "./message.ts";

/** `reply` is for the client, `why` for the log. */
export type Verdict =
  /** `unchecked` where no check has looked at it, or none could tell. */
  | { readonly kind: "accept"; readonly why: string; readonly unchecked?: true }
  | { readonly kind: "replace"; readonly why: string; readonly content: Content }
  | { readonly kind: "reject" | "defer" | "discard"; readonly why: string; readonly reply: Reply }
  /** `others` is what the checks that could tell would have pass. */
  | { readonly kind: "unsure"; readonly why: string; readonly others?: Passing }
  /** A program has changed what it may only read, and so the message is lost. `failure` is why it could not tell. */
  | { readonly kind: "spoilt"; readonly why: string; readonly failure?: string | undefined };

export type Passing = Extract<Verdict, { kind: "accept" | "replace" }>;

export type Settled = Exclude<Verdict, { kind: "unsure" | "spoilt" }>;

/** RFC 3463: 4.3.0, other or undefined mail system status. */
const NOT_CHECKED = formatReply("451 4.3.0 Message could not be checked, try again later");

/** What a verdict means where -r (`rejectUnsure`) is given or is not. */
export function settle(verdict: Exclude<Verdict, { kind: "spoilt" }>, rejectUnsure: boolean): Settled {
  if (verdict.kind !== "unsure") return verdict;
  const { why, others = { kind: "accept", unchecked: true } } = verdict;
  return rejectUnsure ? { kind: "defer", why, reply: NOT_CHECKED } : { ...others, why };
}
