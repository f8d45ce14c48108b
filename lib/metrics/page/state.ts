// The state at a glance: healthy, worth a look, or not healthy, and why. Pure.

import type { Health, Snapshot } from "../snapshot.ts";
import { formatAge, formatCount } from "./figures.ts";
import { type Content, foreign } from "./html.ts";
import type { Hour } from "./hour.ts";

export interface State {
  readonly level: "ok" | "warn" | "bad";
  readonly words: string;
  /** One sentence each. */
  readonly reasons: readonly Content[];
}

// An error that is older is in the log. It says little about now.
const ERROR_COUNTS = 15 * 60_000;

// Characters of a reason that are shown, and reasons.
const REASON_LIMIT = 300;
const REASONS_SHOWN = 10;

/** What `/healthz` finds decides. If it finds nothing, other things may be worth a look. */
export function stateOf(snapshot: Snapshot, hour: Hour, { faults }: Health): State {
  const notes = notesOf(snapshot, hour);
  const reasons = [...faults.slice(0, REASONS_SHOWN).map((fault) => foreign(fault, REASON_LIMIT)), ...notes];
  if (faults.length > 0) return { level: "bad", words: "Not healthy", reasons };
  if (notes.length > 0) return { level: "warn", words: "Worth a look", reasons };
  return { level: "ok", words: "Healthy", reasons: ["Mail can be taken. Next hop and scanners answer."] };
}

/** Messages also pass unchecked because no check is asked for. Then no check has failed. */
export function isUncheckedByFault({ checkErrors }: Snapshot, { messages: { unchecked } }: Hour): boolean {
  return unchecked > 0 && Object.values(checkErrors).some((count) => count > 0);
}

function notesOf(snapshot: Snapshot, hour: Hour): Content[] {
  const { time, lastError, workers, workersWanted, filtersWaiting } = snapshot;
  const notes: Content[] = [];
  if (workers < workersWanted) {
    notes.push(`${formatCount(workers)} of ${formatCount(workersWanted)} workers run.`);
  }
  if (filtersWaiting > 0) {
    notes.push(
      filtersWaiting === 1
        ? "1 message waits for a filter."
        : `${formatCount(filtersWaiting)} messages wait for a filter.`,
    );
  }
  const { unchecked } = hour.messages;
  if (isUncheckedByFault(snapshot, hour)) {
    notes.push(
      unchecked === 1
        ? "1 message passed unchecked in the last hour."
        : `${formatCount(unchecked)} messages passed unchecked in the last hour.`,
    );
  }
  if (lastError && time - lastError.time < ERROR_COUNTS) {
    notes.push(["Last error, ", formatAge(time - lastError.time), " ago: ", foreign(lastError.text, REASON_LIMIT)]);
  }
  return notes;
}
