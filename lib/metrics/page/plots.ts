// The plots of the page: which figures of the hour they show, and how they say it in words. Pure.

import { type Snapshot, VERDICT_LABELS } from "../snapshot.ts";
import { type Clockface, formatCount } from "./figures.ts";
import type { Markup } from "./html.ts";
import type { Hour, Slot } from "./hour.ts";
import { plot } from "./plot.ts";

export function messagesPlot({ minutes, total }: Hour, clock: Clockface): Markup {
  // A verdict that the hour does not have has no path.
  const seen = VERDICT_LABELS.filter((verdict) => minutes.some(({ messages }) => (messages[verdict] ?? 0) > 0));
  const series = seen.map((verdict) => ({ colour: verdict, of: ({ messages }: Slot) => messages[verdict] ?? 0 }));
  return plot(minutes, series, {
    id: "messages",
    title: "Messages per minute",
    summary: `${formatCount(total)} ${since(minutes, clock)}, peak ${
      formatCount(maximum(minutes, (slot) => slot.total))
    }`,
    figures: (slot) =>
      slot.total === 0 ? "no message" : series.filter(({ of }) => of(slot) > 0)
        .map(({ colour, of }) => `${formatCount(of(slot))} ${colour}`).join(", "),
    clock: (time) => clock.minute(time),
  });
}

export function sessionsPlot({ minutes, sessions }: Hour, clock: Clockface): Markup {
  const of = (slot: Slot) => slot.sessions;
  return plot(minutes, [{ colour: "sessions", of }], {
    id: "sessions",
    title: "New sessions per minute",
    summary: `${formatCount(sessions)} ${since(minutes, clock)}, peak ${formatCount(maximum(minutes, of))}`,
    figures: (slot) => `${formatCount(of(slot))} new`,
    clock: (time) => clock.minute(time),
  });
}

export function openPlot({ sessionsOpen }: Snapshot, { minutes, peak }: Hour, clock: Clockface): Markup {
  const of = (slot: Slot) => slot.sessionsOpen;
  return plot(minutes, [{ colour: "sessions", of }], {
    id: "open",
    title: "Open sessions",
    summary: `${formatCount(sessionsOpen)} now, peak ${formatCount(peak)}`,
    figures: (slot) => `at most ${formatCount(of(slot))} open`,
    clock: (time) => clock.minute(time),
  });
}

function maximum(minutes: readonly Slot[], of: (slot: Slot) => number): number {
  return Math.max(...minutes.map(of));
}

// A program that is younger than an hour says since when it counts.
function since(minutes: readonly Slot[], clock: Clockface): string {
  const first = minutes.find(({ isBefore }) => !isBefore);
  return first === undefined || first === minutes[0] ? "last hour" : `since ${clock.minute(first.time)}`;
}
