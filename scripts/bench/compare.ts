// Two or more things, measured beside each other in one run.
//
// Only ratios of such measurements are claimed. They hardly depend on the machine and its load, which hit all ways alike,
// because the ways take turns. A ratio is that of one round, and its spread is over all rounds.

/** The values of one way, one of each round. */
export type Values = readonly number[];

/** The median of some values, the least and the greatest. */
export interface Spread {
  readonly middle: number;
  readonly low: number;
  readonly high: number;
}

/** The fewest rounds that a claim may stand on. */
export const LEAST_ROUNDS = 3;

/** A way is warm after so many milliseconds, or after so many turns. */
const WARM_AFTER = 30_000;
const WARM_TURNS = 40;

interface Named {
  readonly name: string;
}

/** The names of ways whose runtime compiles them while they run. */
const COMPILED = /Bun|Deno|naive/;

/**
 * Does the work of a turn, again and again, before anything is measured. A service has been in use for days. By then the compilers of
 * its runtime have made machine code of all that is used often, which takes more than ten thousand messages. One turn warms
 * what is not compiled.
 */
export async function warmUp<W extends Named>(
  ways: readonly W[],
  turn: (way: W) => Promise<unknown>,
  { isShort }: { readonly isShort: boolean },
): Promise<void> {
  for (const way of ways) {
    const end = performance.now() + WARM_AFTER;
    const turns = !isShort && COMPILED.test(way.name) ? WARM_TURNS : 1;
    for (let count = 0; count < turns && performance.now() < end; count++) await turn(way);
  }
}

/**
 * Measures each way once in each round. The way that begins changes with each round, because the state that one way leaves
 * behind meets the next one. Returns the values in the order of `ways`.
 */
export async function takeTurns<W, T = number>(
  ways: readonly W[],
  measure: (way: W, round: number) => Promise<T>,
  rounds: number,
): Promise<T[][]> {
  const values: T[][] = ways.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const at = (round + turn) % ways.length;
      values[at]!.push(await measure(ways[at]!, round));
    }
  }
  return values;
}

/**
 * Like `takeTurns`, but all ways are warm. A runtime throws away machine code that has not run for some seconds, and in these
 * seconds the other ways had their turns. So each turn that counts follows one that does not.
 */
export async function takeWarmTurns<W extends Named, T = number>(
  ways: readonly W[],
  measure: (way: W) => Promise<T>,
  { rounds, isShort }: { readonly rounds: number; readonly isShort: boolean },
): Promise<T[][]> {
  await warmUp(ways, measure, { isShort });
  const warm = async (way: W) => {
    if (!isShort) await measure(way);
    return await measure(way);
  };
  return await takeTurns(ways, warm, rounds);
}

/** The ratio in each round. */
export function ratios(values: Values, beside: Values): number[] {
  return values.map((value, round) => value / beside[round]!);
}

/** Throws if there are no values. */
export function spreadOf(values: Values): Spread {
  if (values.length === 0) throw new Error("There is no value.");
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const middle = (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
  return { middle, low: sorted[0]!, high: sorted.at(-1)! };
}

/** The rate of two things that are done one after the other. A program that does both, and nothing else, has this rate. */
export function rateOfBoth(one: Values, other: Values): number[] {
  return one.map((rate, round) => 1 / (1 / rate + 1 / other[round]!));
}

/** The value below which this share (0 to 1) of the values is. For 0.99: all but the greatest hundredth. */
export function quantile(values: Values, share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
