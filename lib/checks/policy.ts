// Decides what follows from a finding. Only this file knows -r, --on-error, --action and --dry-run.

import { type Finding, NO_SPACE, NOT_CHECKED, NOT_HANDLED, type Refused } from "../mail/judgement.ts";
import type { Verdict } from "../mail/verdict.ts";
import { formatReply, type Reply, replyFromText, replyText } from "../smtp/reply.ts";

/** The names of the checks in options and in the log, in their order. */
export const CHECK_NAMES = [
  "filter-rules",
  "clamd",
  "rspamd",
  "spamd",
  "urls",
  "extchk",
  "helper",
  "command",
] as const;

export type CheckName = typeof CHECK_NAMES[number];

/** Actions for a message that a check refuses. */
export const ACTIONS = ["reject", "tempfail", "discard", "quarantine", "tag", "log"] as const;

export type Action = typeof ACTIONS[number];

/** Actions for a message about which a check could not decide. */
export const ON_ERROR = ["pass", "tempfail"] as const;

export type OnError = typeof ON_ERROR[number];

export interface PolicyOptions {
  /** -r: a message does not pass if a check could not decide. */
  readonly rejectUnsure: boolean;
  /** By the name of the check. */
  readonly actions?: ReadonlyMap<string, Action>;
  readonly onError?: ReadonlyMap<string, OnError>;
  /** No check refuses or changes anything. */
  readonly dryRun?: boolean;
  /** Whether there is a quarantine. */
  readonly keeps?: boolean;
}

/** Settles a finding: how the message is refused, or what else follows. Undefined if nothing does. */
export type Policy = (finding: Finding) => Refused | Tagged | Logged | undefined;

/** The message passes with a field that holds the check's `text`. */
export interface Tagged {
  readonly kind: "tag";
  readonly text: string;
}

/** The message passes. Only the log says that the check refused it. */
export interface Logged {
  readonly kind: "log";
  /** Set in a dry run: it passes as it came, with any change by a program left out. */
  readonly asItCame?: true;
}

/** If these checks fail, their mail waits, as in earlier versions. */
const TEMPFAIL_BY_DEFAULT: ReadonlySet<string> = new Set(["extchk"]);

/** RFC 3463: 2.0.0, other or undefined status. */
const DISCARDED = formatReply("250 2.0.0 Ok: discarded");

export function policyOf({ rejectUnsure, dryRun = false, keeps = false, ...options }: PolicyOptions): Policy {
  return ({ check, verdict }) => {
    const { why } = verdict;
    switch (verdict.kind) {
      case "accept":
      case "replace":
        return undefined;
      case "unsure": {
        if (dryRun) return undefined;
        // This does not depend on -r. Strangers can use up the means of postprox to run a filter. That must not get
        // their mail past the filter.
        if (verdict.cause === "no means") {
          return { kind: "refused", check, why, reply: verdict.isFull ? NO_SPACE : NOT_HANDLED };
        }
        const byDefault = rejectUnsure || TEMPFAIL_BY_DEFAULT.has(check) ? "tempfail" : "pass";
        const onError = options.onError?.get(check) ?? byDefault;
        return onError === "tempfail" ? { kind: "defer", check, why, reply: NOT_CHECKED } : undefined;
      }
      case "spoilt":
        // In a dry run the program had a copy.
        return dryRun ? undefined : { kind: "refused", check, why, reply: NOT_HANDLED };
      default:
        if (dryRun) return { kind: "log", asItCame: true };
        return settleCatch(verdict, { action: options.actions?.get(check) ?? "reject", check, keeps });
    }
  };
}

type Catch = Extract<Verdict, { readonly reply: Reply }>;

function settleCatch(
  verdict: Catch,
  { action, check, keeps }: { action: Action; check: string; keeps: boolean },
): Refused | Tagged | Logged {
  const { kind, why, reply } = verdict;
  if (action === "log") return { kind: "log" };
  // A temporary refusal stays temporary: nobody loses a message for it.
  if (kind === "defer") return { kind, check, why, reply };
  // The client hears success, in the check's own words if it has some.
  const success = kind === "discard" ? reply : DISCARDED;
  switch (action) {
    case "tempfail":
      return { kind: "defer", check, why, reply: replyFromText(`451 4.7.1 ${catchText(verdict)}`) };
    case "tag":
      return { kind: "tag", text: catchText(verdict) };
    case "discard":
    case "quarantine":
      return { kind: action, check, why, reply: success };
    case "reject":
      if (kind !== "quarantine") return { kind, check, why, reply };
      return keeps ? { kind, check, why, reply: success } : { kind: "reject", check, why, reply };
  }
}

/** The check's words to strangers about a message that it caught, without the codes of its reply. */
function catchText({ kind, reply }: Catch): string {
  const text = replyText(reply).replace(/^[245][0-9][0-9](?: |$)/, "").replace(/^[245](?:\.[0-9]{1,3}){2}(?: |$)/, "");
  return kind === "discard" || text.trim() === "" ? "Content rejected" : text;
}
