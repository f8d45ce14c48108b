// A check that starts a program waits for its turn (--max-filters).
//
// The wait is a part of the message's time, not of the program's own (-t). If that time is over, postprox has no means to
// check the message. Many messages at a time must not get past the filter, so the reply is a 451 with and without -r. This
// also holds for a program that got its turn so late that it was stopped for the message's time.

import type { Verdict } from "../../mail/verdict.ts";
import type { Clock } from "../../ports/runtime.ts";
import type { FilterTurns } from "../../wire/turns.ts";
import type { Check } from "../check.ts";

// A timer may be early by a moment. No answer of a supervisor is a wait. In milliseconds.
const EARLY = 10;

/** Asks `check` about at most so many messages at a time as there are `turns`. */
export function inTurn(clock: Clock, check: Check, turns: FilterTurns): Check {
  return {
    ...check,
    judge: async (message, options) => {
      const start = clock.now();
      const endTurn = await turns.take(options.limit, options.signal);
      const waited = clock.now() - start;
      if (!endTurn) return noMeans("filter was not started", { waited, turns });
      try {
        const verdict = await check.judge(message, { ...options, limit: options.limit - waited });
        const isOver = clock.now() - start >= options.limit - EARLY;
        const hadToWait = waited >= EARLY;
        if (!hadToWait || !isOver || verdict.kind !== "unsure" || verdict.cause !== "late") return verdict;
        return noMeans(verdict.why, { waited, turns });
      } finally {
        endTurn();
      }
    },
  };
}

function noMeans(why: string, { waited, turns }: { waited: number; turns: FilterTurns }): Verdict {
  const time = `${Math.round(waited) / 1000} s`;
  const whole = `${why}: the message waited ${time} for its turn (--max-filters=${turns.count})`;
  return { kind: "unsure", cause: "no means", why: whole, isFull: false };
}
