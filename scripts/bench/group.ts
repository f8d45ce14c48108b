// A group of rows of the benchmarks, and what it has to work with.

import type { Server } from "./bed.ts";
import type { Part } from "./findings.ts";
import type { Way } from "./way.ts";

/** Rows that are measured in one run. Each is a file of its own. */
export interface Group {
  /** For `--only=`. */
  readonly name: string;
  readonly title: string;
  /** Debian packages whose versions matter here. */
  readonly packages: readonly string[];
  /** Measures. An empty list if this machine lacks what it needs; `bench.note` has said so. */
  run(bench: Bench): Promise<readonly Part[]>;
}

/** postprox on one of its runtimes. */
export interface Program {
  readonly runtime: "Bun" | "Deno";
  /** What runs it, without its arguments. */
  readonly words: readonly string[];
}

export interface Bench {
  /** Little of everything: it shows that the benchmarks run. Its figures say nothing. */
  readonly isShort: boolean;
  /** `whole`, or `short` in the short form. */
  pick<T>(whole: T, short: T): T;
  /** A directory for the files of the benchmarks. */
  readonly directory: string;
  readonly programs: readonly Program[];
  /** A server behind everything, which throws mail away. */
  readonly sink: Server;
  /** NAME=listen:PORT of the command line. */
  readonly others: readonly Way[];
  /** NAME=spawn:COMMAND of the command line. */
  readonly spawned: readonly { readonly name: string; readonly argv: readonly string[] }[];
  /** An empty program of a runtime: what runs it. */
  empty(runtime: Program["runtime"]): Promise<readonly string[]>;
  /** One of the programs in this folder, as a program of a runtime: what runs it. */
  compiled(runtime: Program["runtime"], source: string): Promise<readonly string[]>;
  /** Says what is being done, or what was left out and why. */
  note(text: string): void;
}
