// What may become of a message.
//
// A check answers with a `Verdict`. "Could not tell" (`unsure`) is a member of its own, so that no failure of a check can
// be taken for an opinion; `settle` is the one place where -r decides what it means.

import { formatReply, type Reply } from "../smtp/reply.ts";
import type { LineEnds } from "../smtp/dot_codec.ts";

/** A message that can be read again and again, from its beginning, as chunks that are valid until the next one. */
export interface MessageSource {
  readonly lineEnds: LineEnds;
  chunks(): AsyncIterable<Uint8Array>;
}

/** `reply` is for the client, `why` for the log. */
export type Verdict =
  /** `unchecked` where no check has looked at it, or none could tell. */
  | { readonly kind: "accept"; readonly why: string; readonly unchecked?: true }
  | { readonly kind: "replace"; readonly why: string; readonly content: MessageSource }
  | { readonly kind: "reject" | "defer" | "discard"; readonly why: string; readonly reply: Reply }
  /** `others` is what the checks that could tell would have pass. */
  | { readonly kind: "unsure"; readonly why: string; readonly others?: Passing };

export type Passing = Extract<Verdict, { kind: "accept" | "replace" }>;

export type Settled = Exclude<Verdict, { kind: "unsure" }>;

/** Whether a verdict does not keep the message from passing. */
export function mayPass({ kind }: Verdict): boolean {
  return kind === "accept" || kind === "replace" || kind === "unsure";
}

/** RFC 3463: 4.3.0, other or undefined mail system status. */
const NOT_CHECKED = formatReply("451 4.3.0 Message could not be checked, try again later");

/** What a verdict means where -r (`rejectUnsure`) is given or is not. */
export function settle(verdict: Verdict, rejectUnsure: boolean): Settled {
  if (verdict.kind !== "unsure") return verdict;
  const { why, others = { kind: "accept", unchecked: true } } = verdict;
  return rejectUnsure ? { kind: "defer", why, reply: NOT_CHECKED } : { ...others, why };
}
