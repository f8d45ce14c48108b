// From the end of a filter command to a verdict: one table. Pure.
//
//     exit 0                    pass; the caller looks for another version in OUTFILE
//     exit 1                    reject, with the last non-empty line of standard error
//     exit 2 or more            fail: the filter could not decide
//     a signal, past its time   fail
//
// With `strictExit`, exit 1 rejects only if that line begins with a code, because an interpreter's own errors exit with
// 1, too. `exitStatus` gives other meanings to single statuses. With `allowDiscard`, the line may start with a 2xx
// code. Then the client hears that line, and the message goes nowhere.

import { formatReply, type Reply, replyClass, replyFromText, startsWithCode } from "../../smtp/reply.ts";
import type { Verdict } from "../../mail/verdict.ts";
import { failureOf, type ProgramEnd } from "./process.ts";

/** The meanings that an exit status may have. */
export type ExitMeaning = "reject" | "tempfail" | "discard" | "pass" | "fail";

export interface ExitOptions {
  readonly allowDiscard: boolean;
  readonly strictExit: boolean;
  /** For each status from 1 to 255. */
  readonly exitStatus: ReadonlyMap<number, ExitMeaning>;
}

/** RFC 3463: x.7.1, delivery not authorized, message refused. */
const REJECTED = formatReply("554 5.7.1 Content rejected");
const NOT_NOW = formatReply("451 4.7.1 Content not accepted now, try again later");

const DISCARDED = formatReply("250 2.0.0 Ok: discarded");

/** The verdict about a message. Its filter ended with `end` and `line` as the last line of its standard error. */
export function verdictOfCommand(end: ProgramEnd, line: string, options: ExitOptions): Verdict {
  const words = (otherwise: string) => line === "" ? otherwise : `filter said: ${line}`;
  switch (meaningOf(end, line, options)) {
    case "pass":
      return { kind: "accept", why: "filter passed" };
    case "reject":
      return refusal(rejection(line, options.allowDiscard), words("filter rejected"));
    case "tempfail":
      return refusal(temporary(line), words("filter rejected for now"));
    case "discard":
      return refusal(isSuccess(line) ? replyFromText(line, { success: true }) : DISCARDED, words("filter discarded"));
    case "fail":
      return { kind: "unsure", cause: "timedOut" in end ? "late" : "failed", why: failureOf("filter", end, line) };
  }
}

function meaningOf(end: ProgramEnd, line: string, options: ExitOptions): ExitMeaning {
  if (!("exit" in end)) return "fail";
  if (end.exit === 0) return "pass";
  const set = options.exitStatus.get(end.exit);
  if (set) return set;
  return end.exit === 1 && (!options.strictExit || startsWithCode(line, { success: options.allowDiscard }))
    ? "reject"
    : "fail";
}

function refusal(reply: Reply, why: string): Verdict {
  const kinds = { 2: "discard", 3: "reject", 4: "defer", 5: "reject" } as const;
  return { kind: kinds[replyClass(reply)], reply, why };
}

function rejection(line: string, allowDiscard: boolean): Reply {
  return line === "" ? REJECTED : replyFromText(line, { success: allowDiscard });
}

// Removes a code that is not temporary. Makes an enhanced code (RFC 3463) temporary.
function temporary(line: string): Reply {
  if (startsWithCode(line) && line.startsWith("4")) return replyFromText(line);
  const text = line.replace(/^[25][0-9][0-9] /, "").replace(/^[25](?=\.[0-9]{1,3}\.[0-9]{1,3}(?: |$))/, "4");
  return text.trim() === "" ? NOT_NOW : replyFromText(`451 ${text}`);
}

function isSuccess(line: string): boolean {
  return startsWithCode(line, { success: true }) && line.startsWith("2");
}
