// The last hour of a snapshot, minute by minute and summed. Pure.

import { type Minute, MINUTES_KEPT, type Snapshot, VERDICT_LABELS, type VerdictLabel } from "../snapshot.ts";

/** Verdicts with which a message is not delivered. */
export const REFUSING: readonly VerdictLabel[] = ["reject", "tempfail", "discard", "quarantine"];

// A rate is a mean of so many minutes: short enough for what happens now, and long enough to be calm.
const RATE_MINUTES = 5;

export interface Hour {
  /** One for each minute, the oldest first. The last one is not over. */
  readonly minutes: readonly Slot[];
  /** Messages by verdict. */
  readonly messages: Readonly<Record<VerdictLabel, number>>;
  readonly total: number;
  readonly refused: number;
  /** Messages in a minute, a mean of the last minutes. */
  readonly rate: number;
  /** Sessions that began. */
  readonly sessions: number;
  /** The most sessions that were open at one time. */
  readonly peak: number;
}

export interface Slot extends Minute {
  /** When it began. */
  readonly time: number;
  /** All messages. */
  readonly total: number;
  /** The program did not run yet. */
  readonly isBefore: boolean;
}

/** The hour that ends with the snapshot. Minutes that the snapshot lacks, or has in excess, do no harm. */
export function hourOf({ time, startTime, minutes, sessionsOpen }: Snapshot): Hour {
  const now = Math.floor(time / 60_000);
  const known = new Map(minutes.map((minute) => [minute.minute, minute]));
  const slots = Array.from({ length: MINUTES_KEPT }, (_, at): Slot => {
    const minute = now - MINUTES_KEPT + 1 + at;
    const { messages, sessions, sessionsOpen } = known.get(minute) ?? { messages: {}, sessions: 0, sessionsOpen: 0 };
    const total = VERDICT_LABELS.reduce((sum, verdict) => sum + (messages[verdict] ?? 0), 0);
    const isBefore = minute < Math.floor(startTime / 60_000);
    return { minute, messages, sessions, sessionsOpen, time: minute * 60_000, total, isBefore };
  });
  const sum = (of: (slot: Slot) => number, from = 0) => slots.slice(from).reduce((sum, slot) => sum + of(slot), 0);
  const messages = Object.fromEntries(
    VERDICT_LABELS.map((verdict) => [verdict, sum((slot) => slot.messages[verdict] ?? 0)]),
  ) as Record<VerdictLabel, number>;
  const since = Math.max(startTime, (now - RATE_MINUTES) * 60_000);
  return {
    minutes: slots,
    messages,
    total: sum(({ total }) => total),
    refused: REFUSING.reduce((sum, verdict) => sum + messages[verdict], 0),
    rate: sum(({ total }) => total, -RATE_MINUTES - 1) / Math.max(1, (time - since) / 60_000),
    sessions: sum(({ sessions }) => sessions),
    peak: Math.max(sessionsOpen, ...slots.map((slot) => slot.sessionsOpen)),
  };
}
