// Regular expressions for text that a stranger chooses: POSIX basic and extended ones with GNU's extensions, matched
// against octets, blind to case as `LC_ALL=C grep -ai` is.
//
// JavaScript's own expressions try one way after another, and nothing can stop them. Here most texts cost a few steps for
// each octet, however many expressions there are, and none costs more than the length of all expressions. Back-references
// cannot be had so: an expression with one is first approximated by one without, and only a line that passes that is
// searched, with a bound on the steps.
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

// An automaton for all expressions together has a state for each subset of those that a text can be in the midst of, and
// two to the power of their number are too many. Expressions with repeats are dealt out to so many programs.
const PROGRAMS = 16;

/** What a log wants to see of a line. */
const LINE_KEPT = 1000;

/** A longer line is not searched for back-references. */
const REFERENCE_LINE_LIMIT = 1_048_576;

// Steps of a search for one expression with back-references in one line: a fraction of a second in the text of a message,
// a few milliseconds in a short text, where nobody else has a turn meanwhile.
const SEARCH_LIMIT = 10_000_000;
const SHORT_SEARCH_LIMIT = 100_000;
const SEARCH_SLICE = 5_000;

export interface Match {
  /** The number of the expression, counted from 0 as they were added. */
  readonly expression: number;
  /** The line that it matches, without its end. */
  readonly line: Uint8Array;
}

/** Work that stops after each slice, of a few milliseconds at most, and gives a match when it has found one. */
export type Work = Generator<void, Match | undefined>;

export interface Pattern {
  /** Whether it matches the octets of `text`, a line; undefined where that could not be found out. */
  matches(text: Uint8Array): boolean | undefined;
}

/** One expression, to be tried on short texts. */
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

/** Any number of expressions, matched all at once. */
export class PatternSet {
  readonly #syntax: Syntax;
  readonly #plain = new Program({ exact: false });
  readonly #repeating: Program[] = [];
  /** Expressions with back-references: their approximations, and each by its number. */
  readonly #approximate = new Program({ exact: false });
  readonly #referring: { readonly expression: number; readonly program: Program }[] = [];
  #automata: { readonly plain: readonly Automaton[]; readonly approximate: Automaton | undefined } | undefined;
  #size = 0;
  /** Instructions of all programs but the exact ones. */
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

  /** The number of an expression that matches `line`, a short one; undefined where none does. All have been added. */
  find(line: Uint8Array): number | undefined {
    const scan = this.scan({ searchLimit: SHORT_SEARCH_LIMIT });
    return (finish(scan.take(line)) ?? finish(scan.take(Uint8Array.of(LF))))?.expression;
  }

  /** Begins a text. All expressions have been added. */
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

/** A text, line by line, from its beginning to the first match. */
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

  /** Whether there was a line of which it could not be found out whether it matches. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** Goes over the next octets of the text. */
  *take(chunk: Uint8Array): Work {
    return (yield* this.#firstPlain((scanner) => scanner.scan(chunk))) ??
      (this.#approximate && (yield* this.#firstReferring(this.#approximate.scan(chunk))));
  }

  /** The text is at its end. */
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
