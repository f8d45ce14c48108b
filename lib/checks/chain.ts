// Checks one after another: the first that refuses the message ends the chain.
//
// A check that a rules file did not ask for, for any of the recipients, is left out. Each one sees the message as the one
// before has left it, and that of the last one passes. A check that could not tell does not stop the others. If none of
// them refuses, the policy decides what that means; where it passes the message, it passes what the others made of it. All
// checks share the time that there is.

import type { Finding, Passing, Refused } from "../mail/judgement.ts";
import { type Message, messageOf } from "../mail/message.ts";
import type { Verdict } from "../mail/verdict.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock } from "../ports/runtime.ts";
import type { Check, CheckOptions, Judge } from "./check.ts";
import type { Policy } from "./policy.ts";

/** A judge that asks `checks` in their order; where none is asked, the message passes unchecked. */
export function chain(clock: Clock, checks: readonly Check[], settle: Policy): Judge {
  return {
    needsFile: checks.some((check) => check.needsFile),
    judge: async (message, { asked, ...options }) => {
      const deadline = clock.now() + options.limit;
      const findings: Finding[] = [];
      let doubt: Refused | undefined;
      for (const check of checks.filter(({ askedFor }) => !askedFor || !asked || asked.has(askedFor))) {
        const start = clock.now();
        const verdict = await ask(check, message, { ...options, limit: deadline - start });
        const finding = { check: check.name, verdict, time: clock.now() - start };
        findings.push(finding);
        const refused = settle(finding);
        if (refused && !isDoubt(verdict)) return { decision: refused, findings };
        doubt ??= refused;
        if (verdict.kind === "replace") message = messageOf(message, verdict.content);
      }
      return { decision: doubt ?? passing(message, findings), findings };
    },
  };
}

async function ask(check: Check, message: Message, options: CheckOptions): Promise<Verdict> {
  if (options.limit <= 0) return { kind: "unsure", cause: "late", why: `no time was left for ${check.name}` };
  try {
    return await check.judge(message, options);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return { kind: "unsure", cause: "no means", why: error.message, isFull: error.kind === "no-space" };
  }
}

// Another check may still refuse the message.
function isDoubt(verdict: Verdict): boolean {
  return verdict.kind === "unsure" && verdict.cause !== "no means";
}

function passing(message: Message, findings: readonly Finding[]): Passing {
  const verdicts = findings.map(({ verdict }) => verdict);
  const change = verdicts.findLast(({ kind }) => kind === "replace");
  const opinion = change ?? verdicts.findLast(({ kind }) => kind === "accept");
  const why = verdicts.find(isDoubt) ?? opinion;
  return {
    kind: change ? "replace" : opinion ? "pass" : "unchecked",
    why: why?.why ?? "no check was asked for",
    message,
  };
}
