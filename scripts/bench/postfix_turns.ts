// Measures what stands between the two servers of a Postfix (postfix_bed.ts), and makes parts of the page of it.
//
// All ways take turns with the same load. A load is so large that it takes a way some seconds. A program of others may fail under
// the load. Then it is left out, and the page says so.

import type { Load } from "./bed.ts";
import { ratios, takeTurns, warmUp } from "./compare.ts";
import { type Cost, valuesOf } from "./cost.ts";
import type { Claim, Part } from "./findings.ts";
import type { Bench } from "./group.ts";
import { formatSpread } from "./numbers.ts";
import { pathOf } from "./peers/program.ts";
import { type Between, CONNECTIONS, PostfixBed } from "./postfix_bed.ts";

/** The name of the way that has nothing between the servers. The others are compared with it. */
export const STRAIGHT = "smtpd to smtpd";

/** The other numbers of connections. */
export const FEWER = [1, 5];

const SIZE = 5_000;
/** Seconds that one way's turn should take. */
const TURN = 2;
const LEAST = 100;

/** The rates of a way, one of each round; undefined if it was not measured. */
export type RateOf = (name: string, connections?: number) => readonly number[] | undefined;

export interface Plan {
  readonly id: string;
  readonly about: string;
  readonly scanners?: readonly number[];
  /** It is also measured with fewer connections. */
  readonly grows?: true;
  readonly claims: (rateOf: RateOf) => readonly Claim[];
}

interface Turn {
  readonly name: string;
  readonly load: Load;
}

export async function measure(bench: Bench, betweens: readonly Between[], plan: Plan): Promise<Part[]> {
  if (Deno.uid() !== 0 || !pathOf("postfix")) return missing(bench, "a real Postfix, and root", "postfix");
  const { directory, note } = bench;
  const bed = await PostfixBed.start(betweens, { directory, note, scanners: plan.scanners ?? [] });
  const connections = [CONNECTIONS, ...plan.grows ? FEWER : []];
  let turns: Turn[] = [];
  let costs: Cost[][] = [];
  const failures = new Set<string>();
  const failing = (name: string, connections: number, error: unknown) => {
    // Others may fail.
    if (name === STRAIGHT || isOurs(name)) throw error;
    failures.add(`${name} (connections: ${connections})`);
    note(`${name} is left out, because it failed with ${connections} connections: ${(error as Error).message}`);
  };
  try {
    for (const count of connections) {
      for (const name of bed.names) {
        const load = await loadFor(bench, bed, { name, connections: count }).catch((error) =>
          failing(name, count, error)
        );
        if (load) turns.push({ name, load });
      }
    }
    const failed = new Set<Turn>();
    const rounds = await takeTurns(turns, async (turn) => {
      const { name, load } = turn;
      if (failed.has(turn)) return undefined;
      try {
        // As in `takeWarmTurns`.
        if (!bench.isShort) await bed.costOf(name, load);
        return await bed.costOf(name, load);
      } catch (error) {
        failed.add(turn);
        failing(name, load.connections, error as Error);
      }
    }, bench.pick(5, 1));
    costs = rounds.map((some) => some.filter((cost) => cost !== undefined)).filter((_, at) => !failed.has(turns[at]!));
    turns = turns.filter((turn) => !failed.has(turn));
  } finally {
    await bed.stop();
  }
  const valuesFor = (figure: keyof Cost) => (name: string, connections = CONNECTIONS) => {
    const at = turns.findIndex((turn) => turn.name === name && turn.load.connections === connections);
    return at < 0 ? undefined : valuesOf(costs[at]!, figure);
  };
  const [rateOf, cpuOf] = [valuesFor("rate"), valuesFor("cpu")];
  const bars = (valuesOf: (name: string) => readonly number[]) =>
    bed.names.filter((name) => rateOf(name))
      .map((name) => ({ name, values: valuesOf(name), isOurs: isOurs(name) }));
  const failed = failures.size === 0 ? "" : ` Left out, because mail was not taken: ${[...failures].join(", ")}.`;
  const parts: Part[] = [
    {
      kind: "bars",
      id: `${plan.id}-rate`,
      title: `Rate at which Postfix takes mail, of the rate of ${STRAIGHT}`,
      about: plan.about + failed,
      unit: `share of the rate of ${STRAIGHT}`,
      better: "more",
      claims: plan.claims(rateOf),
      bars: bars((name) => ratios(rateOf(name)!, rateOf(STRAIGHT)!)),
    },
    {
      kind: "bars",
      id: `${plan.id}-cpu`,
      title: "Processor time of the whole mail system for a message",
      about:
        "The same run: all processes of Postfix until the queue is empty, of the program and its filters, and of the " +
        "scanner.",
      unit: "ms of CPU for a message",
      better: "less",
      claims: [],
      bars: bars((name) => cpuOf(name)!),
    },
  ];
  if (!plan.grows) return parts;
  const growth: Part = {
    kind: "lines",
    id: `${plan.id}-connections`,
    title: "Rate by connections",
    about: "The same run, with fewer connections too. With one connection the rate shows how long a message takes.",
    unit: "messages/s",
    better: "more",
    claims: [],
    x: { title: "connections", isSize: false },
    lines: bed.names.filter((name) => !betweens.some((one) => one.isBound && one.name === name)).map((name) => ({
      name,
      points: [...FEWER, CONNECTIONS].flatMap((x) => {
        const values = rateOf(name, x);
        return values ? [{ x, values }] : [];
      }),
    })),
  };
  return [...parts, growth];
}

/** Warms up, and finds how many messages take some seconds. */
async function loadFor(
  bench: Bench,
  bed: PostfixBed,
  { name, connections }: { readonly name: string; readonly connections: number },
): Promise<Load> {
  const load = { size: SIZE, connections, count: bench.pick(LEAST, CONNECTIONS) };
  if (bench.isShort) return load;
  const some = { ...load, count: connections === CONNECTIONS ? 8 * LEAST : LEAST };
  // With fewer connections it is the same program, and warm.
  if (connections === CONNECTIONS) await warmUp([{ name }], () => bed.costOf(name, some), bench);
  else await bed.costOf(name, load);
  const { rate } = await bed.costOf(name, some);
  return { ...load, count: Math.max(LEAST, Math.round(rate * TURN / LEAST) * LEAST) };
}

interface Aim {
  readonly atLeast?: number;
  /** Something that no program can exceed, and its rates. */
  readonly bound?: readonly [what: string, rates: readonly number[] | undefined];
}

/** A claim about the ratio of two rates; none if one of them was not measured. */
export function claim(
  what: string,
  [values, beside]: readonly (readonly number[] | undefined)[],
  { atLeast, bound: [bound, rates] = ["", undefined] }: Aim = {},
): Claim[] {
  if (!values || !beside) return [];
  return [{
    what,
    values: ratios(values, beside),
    unit: "times",
    ...atLeast === undefined ? {} : { wanted: { atLeast } },
    ...rates ? { bound: `${bound}: ${formatSpread(ratios(rates, beside))}` } : {},
  }];
}

export function missing(bench: Bench, what: string, debian: string): never[] {
  bench.note(`left out: it needs ${what}: apt-get install ${debian}`);
  return [];
}

function isOurs(name: string): boolean {
  return name.startsWith("postprox");
}
