// Decides what follows from a finding. Only this file knows -r.

import { type Finding, NO_SPACE, NOT_HANDLED, type Refused } from "../mail/judgement.ts";
import { formatReply } from "../smtp/reply.ts";

export interface PolicyOptions {
  /** -r: a message that a check could not judge does not pass. */
  readonly rejectUnsure: boolean;
}

/** Settles a finding: how it refuses the message, or undefined if the message may pass. */
export type Policy = (finding: Finding) => Refused | undefined;

/** RFC 3463: 4.3.0, other or undefined mail system status. */
const NOT_CHECKED = formatReply("451 4.3.0 Message could not be checked, try again later");

export function policyOf({ rejectUnsure }: PolicyOptions): Policy {
  return ({ verdict }) => {
    const { why } = verdict;
    switch (verdict.kind) {
      case "accept":
      case "replace":
        return undefined;
      case "unsure":
        // This does not depend on -r. Strangers may have used up our means to run a filter. That must not let their
        // mail pass.
        if (verdict.cause === "no means") {
          return { kind: "refused", why, reply: verdict.isFull ? NO_SPACE : NOT_HANDLED };
        }
        return rejectUnsure ? { kind: "defer", why, reply: NOT_CHECKED } : undefined;
      case "spoilt":
        return { kind: "refused", why, reply: NOT_HANDLED };
      case "quarantine":
        return { kind: "reject", why, reply: verdict.reply };
      default:
        return { kind: verdict.kind, why, reply: verdict.reply };
    }
  };
}
