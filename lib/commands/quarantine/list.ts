// `postprox quarantine list`: a line for each kept message, the oldest first.
//
// Parts of messages are not listed. Standard error names messages that cannot be trusted, and then the status is 1. It
// also names files that the quarantine did not make.

import { type Entry, readContents, readEntry } from "../../quarantine/contents.ts";
import type { QuarantineRecord } from "../../quarantine/record.ts";
import { bytesOf } from "../../text/octets.ts";
import type { Place } from "./place.ts";
import { formatAge, formatSize } from "./units.ts";

// An id has 35 characters, and the longest name of a check 12.
const WIDTHS = [35, 4, 5, 12] as const;

const HEADINGS = ["ID", "AGE", "SIZE", "CHECK", "FROM", "TO"];

export async function list(place: Place): Promise<void> {
  const { files, directory, report } = place;
  const { kept, foreign } = await readContents(files, directory);
  if (report.isTerminal && kept.length > 0) await report.write(bytesOf(`${formatRow(HEADINGS)}\n`));
  for (const id of kept) {
    if (report.isGone) break;
    const entry = await readEntry(files, directory, id);
    if (entry) await listOne(place, entry);
  }
  for (const name of foreign) report.note(`${directory}/${name} is no file of the quarantine`);
}

async function listOne({ report, now }: Place, entry: Entry): Promise<void> {
  if ("damage" in entry) return report.problem(`${entry.id} cannot be trusted: ${entry.damage}`);
  await report.result(formatRow(cellsOf(entry.record, now)), entry.record);
}

function cellsOf({ id, time, size, check, sender, recipients, attempt }: QuarantineRecord, now: number): string[] {
  const [first = "", ...others] = recipients;
  const to = `<${first}>${others.length > 0 ? ` and ${others.length} more` : ""}`;
  const mark = attempt ? " (may have been delivered)" : "";
  return [id, formatAge(now - Date.parse(time)), formatSize(size), check, formatSender(sender), `${to}${mark}`];
}

export function formatSender(sender: string | null): string {
  return sender === null ? "unknown" : sender === "<>" ? sender : `<${sender}>`;
}

function formatRow(cells: readonly string[]): string {
  return cells.map((cell, at) => {
    const width = WIDTHS[at] ?? 0;
    // Numbers are aligned at the right.
    return at === 1 || at === 2 ? cell.padStart(width) : cell.padEnd(width);
  }).join("  ").trimEnd();
}
