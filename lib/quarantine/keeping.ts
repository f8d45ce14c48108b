// A judge around a judge. It keeps each message that a check refuses for good, discards, or wants in quarantine.
//
// A program may change the file that it gets. So programs get a copy, and the message is kept as it came. If a message
// cannot be kept, a refusal stays a refusal. A message that would be discarded is refused for now, because otherwise it
// would be lost.

import type { Judge, JudgeOptions } from "../checks/check.ts";
import { withCopy } from "../checks/judges.ts";
import { type Decision, type Judgement, NOT_HANDLED, type Refused } from "../mail/judgement.ts";
import type { Message } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock } from "../ports/runtime.ts";
import { replyClass } from "../smtp/reply.ts";
import type { Quarantine } from "./quarantine.ts";

// The limit of the checks leaves a fifth of the message's time for its delivery. A message that is kept needs none, so half
// of that fifth is for the copy. The rest is for the reply.
const LONGER = 9 / 8;

export function keeping(judge: Judge, quarantine: Pick<Quarantine, "keep">, clock: Clock): Judge {
  return {
    ...judge,
    judge: async (message, options) => {
      const due = clock.now() + options.limit * LONGER;
      const judgement = await judge.judge(judge.needsFile ? withCopy(message, options.files) : message, options);
      const { decision } = judgement;
      // A client that has left will send the message again.
      if (!isKept(decision) || options.signal.aborted) return judgement;
      return await keep(message, { judgement, decision, limit: due - clock.now() }, quarantine);
    },
  };
}

function isKept(decision: Decision): decision is Refused {
  if (decision.kind === "reject") return replyClass(decision.reply) === 5;
  return decision.kind === "discard" || decision.kind === "quarantine";
}

interface ToKeep extends Pick<JudgeOptions, "limit"> {
  readonly judgement: Judgement;
  readonly decision: Refused;
}

async function keep(
  message: Message,
  { judgement, decision, limit }: ToKeep,
  quarantine: Pick<Quarantine, "keep">,
): Promise<Judgement> {
  const { kind: outcome, check = "unknown", why: reason, reply } = decision;
  try {
    const kept = await quarantine.keep(message, { outcome, check, reason, reply }, { limit });
    return { ...judgement, decision: { ...decision, kept } };
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    const notKept = error.message;
    if (outcome === "reject") return { ...judgement, decision: { ...decision, notKept } };
    return { ...judgement, decision: { kind: "refused", check, why: reason, reply: NOT_HANDLED, notKept } };
  }
}
