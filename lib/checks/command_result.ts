// How a filter command ended, made into a verdict: one table, pure.
//
//   exit 0                    pass; the caller looks whether OUTFILE holds another version
//   exit 1                    refuse with the last non-empty line of standard error
//   exit 2 or more, a signal  the filter failed, and its opinion is not known
//   past its time             likewise
//
// Under `allowDiscard` a line that starts with a 2xx code has the client hear that while the message goes nowhere.

import { formatReply, replyClass, replyFromText } from "../smtp/reply.ts";
import type { Verdict } from "../verdict.ts";
import { failureOf, type ProgramEnd } from "./process.ts";

/** RFC 3463: 5.7.1, delivery not authorized, message refused. */
const NO_TEXT = "554 5.7.1 Content rejected";

/** The verdict on a message whose filter ended with `end`, its standard error with `line`. */
export function verdictOfCommand(end: ProgramEnd, line: string, options: { allowDiscard: boolean }): Verdict {
  if ("exit" in end && end.exit === 0) return { kind: "accept", why: "filter passed" };
  if ("exit" in end && end.exit === 1) return refusal(line, options.allowDiscard);
  return { kind: "unsure", why: failureOf("filter", end, line) };
}

function refusal(line: string, allowDiscard: boolean): Verdict {
  const reply = line === "" ? formatReply(NO_TEXT) : replyFromText(line, { success: allowDiscard });
  const kinds = { 2: "discard", 3: "reject", 4: "defer", 5: "reject" } as const;
  return { kind: kinds[replyClass(reply)], reply, why: line === "" ? "filter rejected" : `filter said: ${line}` };
}
