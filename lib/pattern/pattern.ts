// Regular expressions for text that a stranger chooses: POSIX basic and extended ones with GNU's extensions. They match
// octets without regard to case, as `LC_ALL=C grep -ai` does.
//
// JavaScript's own expressions try one way after another, and nothing can stop them. Here most texts cost a few steps
// for each octet, for any number of expressions. No octet costs more steps than all expressions are long.
// Back-references do not work this way. An expression with one gets an approximation without it. Only a line that
// passes the approximation is searched, with a bound on the steps.
//
// A wrong expression throws a `PatternError`.

import { bytesOf, LF } from "../text/octets.ts";
import { Automaton } from "./automaton.ts";
import { BackTracker } from "./back_tracker.ts";
import { type FoundLine, LineScanner } from "./line_scanner.ts";
import { parsePattern, type Syntax } from "./parser.ts";
import { hasReferences, hasRepeats, LENGTH_LIMIT, Program, TOO_LONG } from "./program.ts";
import { PatternError, type Tree } from "./tree.ts";

export { PatternError };

// One automaton for all expressions would have a state for each subset of those that a text can be inside of: two to
// the power of their number. So expressions with repeats are spread over this many programs.
const PROGRAMS = 16;

/** The log shows at most this much of a line. */
const LINE_KEPT = 1000;

/** A longer line is not searched for back-references. */
const REFERENCE_LINE_LIMIT = 1_048_576;

// The bound on steps of one search: one expression with back-references in one line. In the text of a message that
// takes a fraction of a second. In a short text it takes a few milliseconds, and nobody else gets a turn meanwhile.
const SEARCH_LIMIT = 10_000_000;
const SHORT_SEARCH_LIMIT = 100_000;
const SEARCH_SLICE = 5_000;

export interface Match {
  /** The number of the expression. The first one that was added has 0. */
  readonly expression: number;
  /** The line that it matches, without its line end. */
  readonly line: Uint8Array;
}

/** Work in slices of a few milliseconds at most. It ends with a match, or with undefined if there is none. */
export type Work = Generator<void, Match | undefined>;

export interface Pattern {
  /** Whether it matches the line `text`; undefined if the search gave up. */
  matches(text: Uint8Array): boolean | undefined;
}

/** Compiles one expression for short texts. */
export function compilePattern(source: string | Uint8Array, { syntax }: { syntax: Syntax }): Pattern {
  const set = new PatternSet(syntax);
  set.add(typeof source === "string" ? bytesOf(source) : source);
  return {
    matches: (text) => {
      const scan = set.scan({ searchLimit: SHORT_SEARCH_LIMIT });
      const match = finish(scan.take(text)) ?? finish(scan.take(Uint8Array.of(LF)));
      return match ? true : scan.isUnsure ? undefined : false;
    },
  };
}

function finish(work: Work): Match | undefined {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Any number of expressions, all matched at once. */
export class PatternSet {
  readonly #syntax: Syntax;
  readonly #plain = new Program({ exact: false });
  readonly #repeating: Program[] = [];
  /** The approximations of expressions with back-references, and the expressions themselves by their numbers. */
  readonly #approximate = new Program({ exact: false });
  readonly #referring: { readonly expression: number; readonly program: Program }[] = [];
  #automata: { readonly plain: readonly Automaton[]; readonly approximate: Automaton | undefined } | undefined;
  #size = 0;
  /** The number of instructions of all programs except the exact ones. */
  #length = 0;

  constructor(syntax: Syntax) {
    this.#syntax = syntax;
  }

  add(source: Uint8Array): void {
    const tree = parsePattern(source, this.#syntax);
    if (!hasReferences(tree)) {
      this.#addTo(this.#programFor(tree), tree);
    } else {
      const program = new Program({ exact: true });
      program.add(tree, this.#size);
      this.#addTo(this.#approximate, tree);
      this.#referring.push({ expression: this.#size, program });
    }
    this.#size++;
  }

  #addTo(program: Program, tree: Tree): void {
    const before = program.instructions.length;
    program.add(tree, this.#size);
    this.#length += program.instructions.length - before;
    if (this.#length > LENGTH_LIMIT) throw new PatternError(TOO_LONG);
  }

  #programFor(tree: Tree): Program {
    if (!hasRepeats(tree)) return this.#plain;
    if (this.#repeating.length < PROGRAMS) this.#repeating.push(new Program({ exact: false }));
    return this.#repeating[this.#size % this.#repeating.length]!;
  }

  /** The number of an expression that matches the short `line`; undefined if none does. Add all expressions first. */
  find(line: Uint8Array): number | undefined {
    const scan = this.scan({ searchLimit: SHORT_SEARCH_LIMIT });
    return (finish(scan.take(line)) ?? finish(scan.take(Uint8Array.of(LF))))?.expression;
  }

  /** Begins a text. Add all expressions first. */
  scan({ searchLimit } = { searchLimit: SEARCH_LIMIT }): Scan {
    const used = [this.#plain, ...this.#repeating].filter(({ entries }) => entries.length > 0);
    this.#automata ??= {
      plain: used.map((program) => new Automaton(program)),
      approximate: this.#referring.length > 0 ? new Automaton(this.#approximate) : undefined,
    };
    return new Scan({ ...this.#automata, referring: this.#referring, searchLimit });
  }
}

interface ScanParts {
  readonly plain: readonly Automaton[];
  readonly approximate: Automaton | undefined;
  readonly referring: readonly { readonly expression: number; readonly program: Program }[];
  readonly searchLimit: number;
}

/** A text, read line by line until the first match. */
export class Scan {
  readonly #parts: ScanParts;
  readonly #plain: readonly LineScanner[];
  readonly #approximate: LineScanner | undefined;
  #isUnsure = false;

  constructor(parts: ScanParts) {
    this.#parts = parts;
    this.#plain = parts.plain.map((automaton) => new LineScanner(automaton, LINE_KEPT));
    this.#approximate = parts.approximate && new LineScanner(parts.approximate, REFERENCE_LINE_LIMIT);
  }

  /** Whether the search gave up on some line. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** Reads the next octets of the text. */
  *take(chunk: Uint8Array): Work {
    return (yield* this.#firstPlain((scanner) => scanner.scan(chunk))) ??
      (this.#approximate && (yield* this.#firstReferring(this.#approximate.scan(chunk))));
  }

  /** Ends the text. */
  *end(): Work {
    return (yield* this.#firstPlain((scanner) => scanner.end())) ??
      (this.#approximate && (yield* this.#firstReferring(this.#approximate.end())));
  }

  *#firstPlain(linesOf: (scanner: LineScanner) => Generator<FoundLine | undefined>): Work {
    for (const scanner of this.#plain) {
      for (const line of linesOf(scanner)) {
        if (line) return { expression: line.expression, line: line.text };
        yield;
      }
    }
    return undefined;
  }

  *#firstReferring(lines: Generator<FoundLine | undefined>): Work {
    for (const line of lines) {
      const match = line && (yield* this.#search(line));
      if (match) return match;
      yield;
    }
    return undefined;
  }

  *#search({ text, isWhole }: FoundLine): Work {
    if (!isWhole) this.#isUnsure = true;
    for (const { expression, program } of isWhole ? this.#parts.referring : []) {
      const search = new BackTracker(program, text, this.#parts.searchLimit);
      let finding = search.run(SEARCH_SLICE);
      for (; finding === undefined; finding = search.run(SEARCH_SLICE)) yield;
      if (finding === "match") return { expression, line: text };
      if (finding === "not known") this.#isUnsure = true;
    }
    return undefined;
  }
}
