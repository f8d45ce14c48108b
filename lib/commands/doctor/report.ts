// The output of the doctor: a line for each thing that is wrong, then the line to change. Pure.
//
// Lines to paste stand as they go into the file, so those of main.cf begin at the left edge. Text from elsewhere has its
// control characters escaped.

import { escapeText } from "../../text/quoting.ts";
import type { Answer, Finding } from "./finding.ts";

export function formatAnswer({ wrong, advice, right, unseen }: Required<Answer>): string {
  const parts = [
    ...wrong.map((finding) => formatFinding("wrong", finding)),
    ...advice.map((finding) => formatFinding("consider", finding)),
    [
      ...right.map((text) => `right: ${escapeText(text)}\n`),
      ...unseen.map((text) => `not seen: ${escapeText(text)}\n`),
    ].join(""),
    summary(wrong.length),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function formatFinding(word: string, { what, change }: Finding): string {
  const lines = [`${word}: ${escapeText(what)}`];
  if (change) lines.push(`  ${escapeText(change.where)}`, ...change.lines.map(escapeText));
  return `${lines.join("\n")}\n`;
}

function summary(count: number): string {
  if (count === 0) return "Nothing is wrong.\n";
  return count === 1 ? "One thing is wrong.\n" : `${count} things are wrong.\n`;
}
