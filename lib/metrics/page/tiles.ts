// The figures at the top of the page. Pure.

import { type Snapshot } from "../snapshot.ts";
import { formatBytes, formatCount, formatRate, formatShare } from "./figures.ts";
import { type Content, html, type Markup } from "./html.ts";
import type { Hour } from "./hour.ts";
import { isUncheckedByFault } from "./state.ts";

interface Tile {
  readonly name: string;
  readonly value: Content;
  readonly more: Content;
  readonly tone?: "warn" | "bad" | undefined;
}

export function tiles(snapshot: Snapshot, hour: Hour): Markup {
  const shown = [
    messages(snapshot, hour),
    refused(hour),
    notChecked(snapshot, hour),
    sessions(snapshot, hour),
    filters(snapshot),
    workers(snapshot),
    duplicates(snapshot),
  ];
  return html`<dl class="tiles" aria-label="Figures">
${
    shown.map(({ name, value, more, tone = "" }) =>
      html`
        <div class="${tone}">
          <dt>${name}</dt>
          <dd>${value}</dd>
          <dd>${more}</dd>
        </div>
      `
    )
  }</dl>`;
}

function messages({ messages, messageBytes }: Snapshot, { rate }: Hour): Tile {
  const total = messages.reduce((sum, { count }) => sum + count, 0);
  return {
    name: "Messages",
    value: html`${formatRate(rate)} <small>/min</small>`,
    more: `${formatCount(total)} since start, ${formatBytes(messageBytes)}`,
  };
}

function refused({ refused, total }: Hour): Tile {
  return {
    name: "Refused",
    value: formatShare(refused, total),
    more: `${formatCount(refused)} of ${formatCount(total)}, last hour`,
  };
}

function notChecked(snapshot: Snapshot, hour: Hour): Tile {
  const errors = Object.values(snapshot.checkErrors).reduce((sum, count) => sum + count, 0);
  return {
    name: "Unchecked",
    value: formatCount(hour.messages.unchecked),
    more: `last hour; ${formatCount(errors)} errors since start`,
    tone: isUncheckedByFault(snapshot, hour) ? "warn" : undefined,
  };
}

function sessions({ sessionsOpen, sessionsTotal }: Snapshot, { peak }: Hour): Tile {
  return {
    name: "Sessions open",
    value: formatCount(sessionsOpen),
    more: `peak ${formatCount(peak)} last hour; ${formatCount(sessionsTotal)} since start`,
  };
}

function filters({ filtersRunning, filtersWaiting, filtersLimit }: Snapshot): Tile {
  return {
    name: "Filters running",
    value: filtersLimit === undefined
      ? formatCount(filtersRunning)
      : html`${formatCount(filtersRunning)} <small>of ${formatCount(filtersLimit)}</small>`,
    more: filtersWaiting === 0
      ? "none waits"
      : filtersWaiting === 1
      ? "1 waits"
      : `${formatCount(filtersWaiting)} wait`,
    tone: filtersWaiting > 0 ? "warn" : undefined,
  };
}

function workers({ workers, workersWanted, workerRestarts }: Snapshot): Tile {
  if (workersWanted === 0) return { name: "Workers", value: "none", more: "one process does all" };
  return {
    name: "Workers",
    value: html`${formatCount(workers)} <small>of ${formatCount(workersWanted)}</small>`,
    more: workerRestarts === 1 ? "1 restart since start" : `${formatCount(workerRestarts)} restarts since start`,
    tone: workers < workersWanted ? "bad" : undefined,
  };
}

function duplicates({ possibleDuplicates }: Snapshot): Tile {
  return {
    name: "Possible duplicates",
    value: formatCount(possibleDuplicates),
    more: possibleDuplicates === 0 ? "since start" : "since start; the log names them",
    tone: possibleDuplicates > 0 ? "warn" : undefined,
  };
}
