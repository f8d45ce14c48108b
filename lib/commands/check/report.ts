// The output of `postprox check` about each message, and about all of them. Pure.

import type { Finding, Judgement } from "../../mail/judgement.ts";
import { replyText } from "../../smtp/reply.ts";

/** A message that was judged, and its place. */
export interface Checked {
  readonly name: string;
  /** Octets. */
  readonly size: number;
  readonly judgement: Judgement;
}

/** 0: all were accepted. 1: one was refused. 2: a check could not decide about one. */
export function statusOf({ decision, findings }: Judgement): 0 | 1 | 2 {
  if (findings.some(isUnsure) || ("reply" in decision && decision.kind === "refused")) return 2;
  return "reply" in decision ? 1 : 0;
}

function isUnsure({ verdict }: Finding): boolean {
  return verdict.kind === "unsure" || verdict.kind === "spoilt";
}

/** One line of plain words. */
export function formatChecked({ name, judgement }: Checked): string {
  const { decision, findings } = judgement;
  const caught = "reply" in decision ? ` ${decision.check ?? "postprox"}: ${replyText(decision.reply)}` : "";
  const would = "would" in decision && decision.would ? ` would=${decision.would} check=${decision.check}` : "";
  const doubts = findings.filter(isUnsure).map(({ check, verdict }) => `; ${doubt(check, verdict.why)}`);
  const times = findings.map(({ check, time }) => `${check} ${formatTime(time)}`).join(", ");
  return `${name}: ${decision.kind}${caught}${would}${doubts.join("")}${times === "" ? "" : ` (${times})`}`;
}

// The reason of a scanner already begins with these words.
function doubt(check: string, why: string): string {
  const words = `${check} could not tell: `;
  return why.startsWith(words) ? why : `${words}${why}`;
}

/** The same as JSON, for programs. Times are in milliseconds. */
export function jsonOf({ name, size, judgement }: Checked): object {
  const { decision, findings, time } = judgement;
  return {
    message: name,
    size,
    verdict: decision.kind,
    check: decision.check ?? null,
    reason: decision.why,
    reply: "reply" in decision ? replyText(decision.reply) : null,
    ...("would" in decision && decision.would ? { would: decision.would } : {}),
    time_ms: rounded(time),
    checks: findings.map(({ check, verdict, time }) => ({
      check,
      verdict: verdict.kind,
      reason: verdict.why,
      ...(verdict.facts ? { facts: verdict.facts } : {}),
      time_ms: rounded(time),
    })),
  };
}

/** Counts and times of many messages. */
export class Totals {
  readonly #verdicts = new Map<string, number>();
  readonly #checks = new Map<string, { times: number[]; caught: number; unsure: number }>();
  messages = 0;

  add({ decision, findings }: Judgement): void {
    this.messages++;
    this.#verdicts.set(decision.kind, (this.#verdicts.get(decision.kind) ?? 0) + 1);
    for (const finding of findings) {
      const { check, verdict, time } = finding;
      const row = this.#checks.get(check) ?? { times: [], caught: 0, unsure: 0 };
      this.#checks.set(check, row);
      row.times.push(time);
      if ("reply" in verdict) row.caught++;
      if (isUnsure(finding)) row.unsure++;
    }
  }

  /** The lines of a table. */
  format(): string[] {
    const verdicts = Array.from(this.#verdicts, ([verdict, count]) => `${count} ${verdict}`).join(", ");
    const lines = [`${this.messages} ${this.messages === 1 ? "message" : "messages"}: ${verdicts || "none"}`];
    if (this.#checks.size === 0) return lines;
    const rows = Array.from(this.#checks, ([check, { times, caught, unsure }]) => {
      const sorted = times.toSorted((one, other) => one - other);
      const median = sorted[Math.floor(sorted.length / 2)]!;
      return [check, times.length, caught, unsure, formatTime(median), formatTime(sorted.at(-1)!)].map(String);
    });
    return [...lines, ...formatTable([["CHECK", "ASKED", "CAUGHT", "UNSURE", "MEDIAN", "LONGEST"], ...rows])];
  }
}

// Names are aligned at the left, numbers at the right.
function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row.map((cell, at) => at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)).join("  ")
  );
}

/** A bar for a terminal, `width` columns wide. `done` and `all` are octets; `all` is 0 if nobody knows. */
export function formatBar({ done, all, messages, width }: {
  done: number;
  all: number;
  messages: number;
  width: number;
}): string {
  const count = `${messages} checked`;
  if (all === 0) return count;
  const share = Math.min(1, done / all);
  const filled = Math.round(share * width);
  return `[${"#".repeat(filled)}${"-".repeat(width - filled)}] ${Math.floor(share * 100)} %, ${count}`;
}

function formatTime(milliseconds: number): string {
  return milliseconds < 10 ? `${rounded(milliseconds)} ms` : `${Math.round(milliseconds)} ms`;
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
