// Checks one after another: the first that rejects, defers or discards ends the chain.
//
// A check that a rules file did not ask for, for any of the recipients, is left out. Each one sees the message as the one
// before has left it, and that of the last one passes. A check that could not tell does not stop the others; if none of
// them refuses, the chain could not tell either, and where that passes the message, it passes what the others made of it.
// All checks share the time that there is.

import { messageOf } from "../mail/message.ts";
import type { Passing, Verdict } from "../mail/verdict.ts";
import type { Clock } from "../ports/runtime.ts";
import type { Check, CheckOptions } from "./check.ts";

/** A check that asks `checks` in their order; where none is asked, the message passes unchecked. */
export function chain(clock: Clock, checks: readonly Check[]): Check {
  return {
    name: "chain",
    needsFile: checks.some((check) => check.needsFile),
    judge: async (message, options): Promise<Verdict> => {
      const deadline = clock.now() + options.limit;
      let passing: Passing = { kind: "accept", why: "no check was asked for", unchecked: true };
      let unsure: string | undefined;
      for (const check of checks.filter((check) => isAskedFor(check, options))) {
        const limit = deadline - clock.now();
        const verdict = limit > 0
          ? await check.judge(message, { ...options, limit })
          : { kind: "unsure", why: `no time was left for the ${check.name}` } as const;
        if (verdict.kind === "unsure") unsure ??= verdict.why;
        else if (verdict.kind === "replace") {
          passing = verdict;
          message = messageOf(message, verdict.content);
        } else if (verdict.kind === "spoilt") return { ...verdict, failure: unsure ?? verdict.failure };
        else if (verdict.kind !== "accept") return verdict;
        else if (passing.kind === "accept") passing = verdict;
      }
      if (unsure === undefined) return passing;
      return { kind: "unsure", why: unsure, others: passing };
    },
  };
}

function isAskedFor({ askedFor }: Check, { asked }: CheckOptions): boolean {
  return askedFor === undefined || asked === undefined || asked.has(askedFor);
}
