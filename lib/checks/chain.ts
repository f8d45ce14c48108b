// Runs checks one after another, and scanners side by side. The first refusal ends the chain.
//
// If a rules file asks for a check for none of the recipients, that check is left out. Each step sees the message as
// the step before left it. The version after the last step passes. Scanners that stand beside each other are one step.
// They look at the same message, and a refusal stops the others. Then their changes to the header are made, in the
// order of the checks. A check that cannot decide does not stop the others. If none refuses, the policy decides what
// that means. If the policy passes the message, the changes of the others stay. All checks share one time limit.

import type { Finding, Passing, Refused } from "../mail/judgement.ts";
import { type Message, messageOf } from "../mail/message.ts";
import type { Verdict } from "../mail/verdict.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock } from "../ports/runtime.ts";
import type { Check, CheckOptions, Judge } from "./check.ts";
import type { Policy } from "./policy.ts";

/** A judge that asks `checks` in their order. If it asks none, the message passes unchecked. */
export function chain(clock: Clock, checks: readonly Check[], settle: Policy): Judge {
  return {
    needsFile: checks.some((check) => check.needsFile),
    retire: async () => void await Promise.all(checks.map((check) => check.retire?.())),
    judge: async (message, { asked, ...options }) => {
      const start = clock.now();
      const due = start + options.limit;
      const findings: Finding[] = [];
      let doubt: Refused | undefined;
      const refusalIn = (found: readonly Finding[]): Refused | undefined => {
        for (const finding of found) {
          const refused = settle(finding);
          if (refused && !isDoubt(finding.verdict)) return refused;
          doubt ??= refused;
        }
        return undefined;
      };
      for (const step of stepsOf(checks.filter(({ askedFor }) => !askedFor || !asked || asked.has(askedFor)))) {
        const found = await look(step, message, { clock, due, settle, options });
        findings.push(...found);
        let refused = refusalIn(found);
        if (!refused) {
          const made = await versionOf(message, found, options);
          if ("cause" in made) {
            const failed = { ...findings.pop()!, verdict: made };
            findings.push(failed);
            refused = refusalIn([failed]);
          } else message = made;
        }
        if (refused) return { decision: refused, findings, time: clock.now() - start };
      }
      return { decision: doubt ?? passing(message, findings), findings, time: clock.now() - start };
    },
  };
}

function stepsOf(checks: readonly Check[]): Check[][] {
  const steps: Check[][] = [];
  for (const check of checks) {
    const last = steps.at(-1);
    if (check.isScanner && last?.[0]?.isScanner) last.push(check);
    else steps.push([check]);
  }
  return steps;
}

interface Look {
  readonly clock: Clock;
  readonly due: number;
  readonly settle: Policy;
  readonly options: CheckOptions;
}

// The findings of the checks of one step. If one refuses the message, it is the last. Checks that were stopped by the
// refusal are not there.
async function look(
  step: readonly Check[],
  message: Message,
  { clock, due, settle, options }: Look,
): Promise<Finding[]> {
  const [only] = step;
  const findOne = async (check: Check, signal: AbortSignal): Promise<Finding> => {
    const start = clock.now();
    const verdict = await ask(check, message, { ...options, signal, limit: due - start });
    return { check: check.name, verdict, time: clock.now() - start };
  };
  if (only && step.length === 1) return [await findOne(only, options.signal)];
  const ender = new AbortController();
  const end = () => ender.abort();
  options.signal.addEventListener("abort", end);
  if (options.signal.aborted) end();
  const found: Finding[][] = step.map(() => []);
  let refusing: Finding | undefined;
  const asked = step.map(async (check, at) => {
    try {
      const finding = await findOne(check, ender.signal);
      if (refusing) return;
      if (!settle(finding) || isDoubt(finding.verdict)) found[at]!.push(finding);
      else {
        refusing = finding;
        end();
      }
    } catch (error) {
      end();
      throw error;
    }
  });
  // This waits for all of them, so that nobody still reads the message when it returns.
  const ends = await Promise.allSettled(asked);
  options.signal.removeEventListener("abort", end);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return [...found.flat(), ...refusing ? [refusing] : []];
}

async function ask(check: Check, message: Message, options: CheckOptions): Promise<Verdict> {
  if (options.limit <= 0) return { kind: "unsure", cause: "late", why: `no time was left for ${check.name}` };
  return await orNoMeans(() => check.judge(message, options));
}

async function orNoMeans<Made>(attempt: () => Promise<Made>): Promise<Made | Verdict & { kind: "unsure" }> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return { kind: "unsure", cause: "no means", why: error.message, isFull: error.kind === "no-space" };
  }
}

// The message as the checks of one step have left it.
async function versionOf(
  message: Message,
  found: readonly Finding[],
  { files }: CheckOptions,
): Promise<Message | Verdict & { kind: "unsure" }> {
  const verdicts = found.map(({ verdict }) => verdict);
  const change = verdicts.findLast((verdict) => verdict.kind === "replace");
  if (change) return messageOf(message, change.content);
  const edits = verdicts.flatMap((verdict) => verdict.kind === "accept" && verdict.header ? [verdict.header] : []);
  if (edits.length === 0) return message;
  return await orNoMeans(async () => {
    const { editHeader } = await import("../spool/edited_header.ts");
    return messageOf(message, await editHeader(message, edits, files));
  });
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
