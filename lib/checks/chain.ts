// Checks one after another: the first that rejects, defers or discards ends the chain.
//
// A check that could not tell does not stop the others; if none of them refuses, the chain could not tell either. A
// replacement is passed on as the message's new content only when nothing behind it refuses.

import type { Verdict } from "../verdict.ts";
import type { Check, CheckedMessage } from "./check.ts";

/** A check that asks `checks` in their order; without any it accepts. */
export function chain(checks: readonly Check[]): Check {
  return {
    name: "chain",
    needsFile: checks.some((check) => check.needsFile),
    judge: async (message: CheckedMessage, options): Promise<Verdict> => {
      let passing: Verdict = { kind: "accept", why: checks.length === 0 ? "no filter" : "filter passed" };
      let unsure: Verdict | undefined;
      for (const check of checks) {
        const verdict = await check.judge(message, options);
        if (verdict.kind === "unsure") unsure ??= verdict;
        else if (verdict.kind === "replace") passing = verdict;
        else if (verdict.kind !== "accept") return verdict;
        else if (passing.kind === "accept") passing = verdict;
      }
      return unsure ?? passing;
    },
  };
}
