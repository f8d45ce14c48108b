// The cost of a load: processor time and rate.

import { type Load, send } from "./bed.ts";
import type { Way } from "./way.ts";

export interface Cost {
  /** Milliseconds of the processor for a message; 0 if the way's processes are not ours. */
  readonly cpu: number;
  /** Messages a second. */
  readonly rate: number;
}

/** Milliseconds that one turn may take. */
const TURN = 2_000;

/** A slow way gets so many all the same: its cost is what others are compared with. */
const FEWEST = 400;

/** How many show the rate. */
const SOME = 100;

/**
 * How many messages each way gets, in the order of `ways`: `load.count`, or fewer if it is slow.
 */
export async function countsFor(ways: readonly Way[], load: Load): Promise<number[]> {
  const counts: number[] = [];
  for (const { port } of ways) {
    const most = load.count;
    await send(port, { ...load, count: Math.min(most, SOME) });
    const rate = await send(port, { ...load, count: Math.min(most, SOME) });
    const count = Math.min(most, Math.max(FEWEST, Math.round(rate * TURN / 1000)));
    counts.push(count);
  }
  return counts;
}

/** Sends a load once. */
export async function costOf({ port, processorTime = () => 0 }: Way, load: Load): Promise<Cost> {
  const before = processorTime();
  const rate = await send(port, load);
  return { cpu: (processorTime() - before) / load.count, rate };
}

/** The values of one figure, in the order of the rounds. */
export function valuesOf<Key extends string>(costs: readonly Readonly<Record<Key, number>>[], key: Key): number[] {
  return costs.map((cost) => cost[key]);
}
