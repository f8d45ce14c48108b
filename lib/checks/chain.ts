// Runs checks one after another, and scanners side by side. The first check that refuses the message ends the chain.
//
// A rules file may ask for a check for some recipients only. If it asked for none of these, the check is left out. Each
// step sees the message as the step before left it. The version after the last step passes. Scanners that stand beside
// each other are one step. They look at the same message, and a refusal stops the others. Then their changes to the
// header are made, in the order of the checks. A check that cannot decide does not stop the others. If none refuses the
// message, the policy decides what that means. All checks share one time limit.

import type { Decision, Finding, Passing, Refused } from "../mail/judgement.ts";
import { type Message, messageOf } from "../mail/message.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { HeaderEdit } from "../mime/header.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Turn } from "../ports/runtime.ts";
import { SharedTurn } from "../wire/shared_turn.ts";
import type { Check, CheckOptions, Judge } from "./check.ts";
import type { Policy } from "./policy.ts";

/** The field that a message passes with although a check refused it. */
export const TAG_FIELD = "X-Postprox";

/** A judge that asks `checks` in their order. If it asks none, the message passes unchecked. */
export function chain(
  clock: Clock,
  checks: readonly Check[],
  settle: Policy,
  turn: Turn = new SharedTurn(clock),
): Judge {
  return {
    needsFile: checks.some((check) => check.needsFile),
    start: () => checks.forEach((check) => check.start?.()),
    retire: async () => void await Promise.all(checks.map((check) => check.retire?.())),
    judge: async (message, { asked, ...options }) => {
      const start = clock.now();
      const look = { clock, due: start + options.limit, settle, options };
      const course = new Course(message, { settle, turn });
      let programs = 0;
      for (const step of stepsOf(checks.filter(({ askedFor }) => !askedFor || !asked || asked.has(askedFor)))) {
        if (step.some(({ needsFile }) => needsFile) && programs++ > 0) await course.putInPlace(options);
        await course.take(await askStep(step, course.message, look), options);
        if (course.refused) break;
      }
      return { decision: course.decision, findings: course.findings, time: clock.now() - start };
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

// The findings of the checks of one step. If one refuses the message, its finding is the last. Checks that it stopped
// have no finding.
async function askStep(step: readonly Check[], message: Message, look: Look): Promise<Finding[]> {
  const { clock, due, settle, options: { signal } } = look;
  const findOne = async (check: Check, signal: AbortSignal): Promise<Finding> => {
    const start = clock.now();
    const verdict = await ask(check, message, { ...look.options, signal, limit: due - start });
    const finding = { check: check.name, verdict, time: clock.now() - start };
    const passes = check.needsFile && "reply" in verdict && passesAsLeft(settle(finding));
    return passes ? { ...finding, verdict: await orSpoilt(verdict, message) } : finding;
  };
  const [only] = step;
  if (only && step.length === 1) return [await findOne(only, signal)];
  const stopper = new AbortController();
  const stop = () => stopper.abort();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const found: Finding[][] = step.map(() => []);
  let refusing: Finding | undefined;
  const asked = step.map(async (check, at) => {
    try {
      const finding = await findOne(check, stopper.signal);
      if (refusing) return;
      if (!endsChain(finding, settle(finding))) return void found[at]!.push(finding);
      refusing = finding;
      stop();
    } catch (error) {
      stop();
      throw error;
    }
  });
  // Afterwards nobody reads the message any more.
  const ends = await Promise.allSettled(asked);
  signal.removeEventListener("abort", stop);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return [...found.flat(), ...refusing ? [refusing] : []];
}

type Unsure = Verdict & { readonly kind: "unsure" };

async function ask(check: Check, message: Message, options: CheckOptions): Promise<Verdict> {
  if (options.limit <= 0) return { kind: "unsure", cause: "late", why: `no time was left for ${check.name}` };
  return await orNoMeans(() => check.judge(message, options));
}

async function orNoMeans<Made>(attempt: () => Promise<Made>): Promise<Made | Unsure> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return { kind: "unsure", cause: "no means", why: error.message, isFull: error.kind === "no-space" };
  }
}

type Settled = ReturnType<Policy>;

// Whether a message that a check refused passes as the check left it.
function passesAsLeft(settled: Settled): boolean {
  return settled?.kind === "tag" || (settled?.kind === "log" && !settled.asItCame);
}

// A program that refuses a message may have changed its file. Then no version is left that could pass.
async function orSpoilt(verdict: Verdict, message: Message): Promise<Verdict> {
  return await orNoMeans(async () => {
    const isIntact = await (await message.file()).isIntact();
    return isIntact ? verdict : { kind: "spoilt", why: `a program changed the message (${verdict.why})` };
  });
}

// If a check could not decide, another check may still refuse the message.
function endsChain({ verdict }: Finding, settled: Settled): settled is Refused {
  return settled !== undefined && "reply" in settled && !isDoubt(verdict);
}

function isDoubt(verdict: Verdict): boolean {
  return verdict.kind === "unsure" && verdict.cause !== "no means";
}

/** The course of one message through the steps. */
class Course {
  readonly findings: Finding[] = [];
  readonly #settle: Policy;
  readonly #turn: Turn;
  #message: Message;
  #refused: Refused | undefined;
  // Set if a check could not decide and the message must not pass.
  #doubt: Refused | undefined;
  #isChanged = false;
  // The last check that refused the message although the message passes.
  #tagged: Finding | undefined;
  #logged: Finding | undefined;

  constructor(message: Message, { settle, turn }: { settle: Policy; turn: Turn }) {
    this.#message = message;
    this.#settle = settle;
    this.#turn = turn;
  }

  /** The message as the steps so far left it. */
  get message(): Message {
    return this.#message;
  }

  get refused(): Refused | undefined {
    return this.#refused;
  }

  get decision(): Decision {
    return this.#refused ?? this.#doubt ?? this.#passing;
  }

  /** Makes sure that the next program finds a file, even if the one before removed it. */
  async putInPlace({ files }: CheckOptions): Promise<void> {
    const { withFileInPlace } = await import("../spool/hand_over.ts");
    this.#message = messageOf(this.#message, withFileInPlace(files, this.#message));
  }

  /** Takes the findings of the checks of a step. */
  async take(found: readonly Finding[], { files }: CheckOptions): Promise<void> {
    this.findings.push(...found);
    const tags: HeaderEdit[] = [];
    for (const finding of found) {
      const settled = this.#settle(finding);
      if (endsChain(finding, settled)) this.#refused = settled;
      else if (settled?.kind === "log") this.#logged ??= finding;
      else if (settled?.kind === "tag") {
        this.#tagged ??= finding;
        tags.push({ changes: [{ do: "add", name: TAG_FIELD, value: `${finding.check}; ${settled.text}`, at: 0 }] });
      } else if (settled) this.#doubt ??= settled;
    }
    if (this.#refused) return;
    const wanted = found.flatMap(({ verdict }) => verdict.kind === "accept" && verdict.header ? [verdict.header] : []);
    for (const { verdict } of found) {
      if (verdict.kind !== "replace") continue;
      this.#message = messageOf(this.#message, verdict.content);
      this.#isChanged = true;
    }
    if (wanted.length + tags.length > 0) await this.#editHeader([...wanted, ...tags], files);
  }

  async #editHeader(edits: readonly HeaderEdit[], files: CheckOptions["files"]): Promise<void> {
    const edited = await orNoMeans(async () => {
      const { editHeader } = await import("../spool/edited_header.ts");
      return messageOf(this.#message, await editHeader(this.#message, edits, { files, turn: this.#turn }));
    });
    if (!("cause" in edited)) {
      this.#message = edited;
      return;
    }
    const failed: Finding = { ...this.findings.pop()!, verdict: edited };
    this.findings.push(failed);
    const settled = this.#settle(failed);
    if (endsChain(failed, settled)) this.#refused = settled;
  }

  get #passing(): Passing {
    const verdicts = this.findings.map(({ verdict }) => verdict);
    const change = verdicts.findLast(({ kind }) => kind === "replace");
    const opinion = change ?? verdicts.findLast((verdict) => verdict.kind === "accept" || "reply" in verdict);
    const caught = this.#tagged ?? this.#logged;
    const why = caught?.verdict ?? verdicts.find(({ kind }) => kind === "unsure") ?? opinion;
    return {
      kind: this.#tagged ? "tag" : this.#isChanged ? "replace" : opinion ? "pass" : "unchecked",
      check: caught?.check,
      would: this.#logged && "reject",
      why: why?.why ?? "no check was asked for",
      message: this.#message,
    };
  }
}
