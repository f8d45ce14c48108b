// What the benchmarks have found, as plain data. The page, its tables and its pictures are made of it and of nothing else.

import { spreadOf, type Values } from "./compare.ts";

/** The findings of all groups that were measured, by the name of the group. */
export type Results = Readonly<Record<string, Findings>>;

export interface Findings {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** How long the group took. */
  readonly seconds: number;
  /** The load average of the last minute before it began: what else the machine had to do. */
  readonly load: number;
  readonly machine: Machine;
  readonly parts: readonly Part[];
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memory: string;
  readonly kernel: string;
  /** "a virtual machine" or "no virtual machine". */
  readonly kind: string;
  readonly system: string;
  /** Of all programs that took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** One table and its picture. */
export type Part = Bars | Lines;

interface Common {
  /** The name of the picture's file. */
  readonly id: string;
  readonly title: string;
  /** What was measured, in whole sentences. */
  readonly about: string;
  /** Of the values. */
  readonly unit: string;
  readonly better: "less" | "more";
  readonly claims: readonly Claim[];
}

export interface Bars extends Common {
  readonly kind: "bars";
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly name: string;
  /** One of each round. */
  readonly values: Values;
  /** It is postprox. */
  readonly isOurs: boolean;
}

export interface Lines extends Common {
  readonly kind: "lines";
  readonly x: { readonly title: string; readonly isSize: boolean };
  readonly lines: readonly Line[];
}

export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly values: Values }[];
}

export interface Claim {
  readonly what: string;
  /** One of each round. */
  readonly values: Values;
  readonly unit: string;
  readonly wanted?: Wanted;
  /** What the runtime alone costs, or another reason why it cannot be better. */
  readonly bound?: string;
}

export type Wanted = { readonly atMost: number } | { readonly atLeast: number };

/** Whether the median of a claim is as wanted. Undefined if nothing is. */
export function isReached({ values, wanted }: Claim): boolean | undefined {
  if (!wanted) return undefined;
  const { middle } = spreadOf(values);
  return "atMost" in wanted ? middle <= wanted.atMost : middle >= wanted.atLeast;
}

/** The same with four significant digits in each value: more is noise. */
export function rounded(part: Part): Part {
  const round = (values: Values) => values.map((value) => Number(value.toPrecision(4)));
  const claims = part.claims.map((claim) => ({ ...claim, values: round(claim.values) }));
  if (part.kind === "bars") {
    return { ...part, claims, bars: part.bars.map((bar) => ({ ...bar, values: round(bar.values) })) };
  }
  const lines = part.lines.map((line) => ({
    ...line,
    points: line.points.map(({ x, values }) => ({ x, values: round(values) })),
  }));
  return { ...part, claims, lines };
}
