// Formats the options of a table for --help. Pure.

import { type OptionRow, withDefault } from "./table.ts";

const WIDTH = 80;
const INDENT = 32;

/** The rows under their headings. `headings` has one for each group, in order. */
export function formatOptions(rows: readonly OptionRow[], headings: Readonly<Record<string, string>>): string {
  const lost = rows.find(({ group }) => headings[group] === undefined);
  if (lost) throw new Error(`there is no heading for the group ${lost.group} of --${lost.long}`);
  return Object.entries(headings).map(([group, heading]) => {
    const entries = rows.filter((row) => row.group === group).map(formatRow);
    return `${heading}:\n${entries.join("")}`;
  }).join("\n");
}

function formatRow(row: OptionRow): string {
  const head = `  ${row.short ? `-${row.short},` : "   "} --${row.long}${formatValue(row)}`;
  const lines = wrap(withDefault(row.help, row), WIDTH - INDENT);
  const first = head.length < INDENT - 1 ? head.padEnd(INDENT) + lines.shift()! : head;
  return [first, ...lines.map((line) => " ".repeat(INDENT) + line)].join("\n") + "\n";
}

function formatValue({ short, kind, valueIsOptional }: OptionRow): string {
  if (!kind) return "";
  return valueIsOptional ? `[=${kind.shown}]` : short ? ` ${kind.shown}` : `=${kind.shown}`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
