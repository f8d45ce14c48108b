// A deterministic automaton over octets. It runs all expressions of a program at once, and is built while it runs.
//
// A state is the set of places in the expressions that the text so far leads to. The places where expressions begin
// belong to every state, so no state lists them. A match shows one octet late, or at the line end.
//
// A step in the part that is built is one look into a table, for any number of expressions. The number of states has a
// bound. At the bound all states are forgotten. A table is no gain for a text that always leads to new states. So for
// some octets after that the automaton steps without a table. The time of such a step grows with the number of places,
// and with nothing else.

import { LF } from "../text/octets.ts";
import { isWord } from "./octets.ts";
import type { Program } from "./program.ts";
import { EDGE, NO_MATCH, OTHER, PlaceSet, type Side, sideOf, Stepper } from "./stepper.ts";

/** A place in a text. It lasts from one call of `run` to the next. */
export interface Cursor {
  state: State;
  /** The number of the expression that has matched: the lowest if several have. */
  matched: number | undefined;
}

interface State {
  readonly places: Uint16Array;
  readonly before: Side;
  readonly row: number;
  readonly generation: number;
}

interface Step {
  readonly places: Uint16Array;
  readonly matched: number;
}

// Two rows of the table are no states. The first stands for a state that is not built yet.
const MATCH = 1;
const FIRST_ROW = 2;

/** The generation of a state that has no row. */
const LOOSE = -1;

// A table of 64 Ki numbers takes 256 KiB, and the places, of 16 bits each, as much. All sessions share them.
const TABLE_LIMIT = 65_536;
const PLACES_LIMIT = 131_072;
const FIRST_ROWS = 8;

// To build a state costs as much as about fifty steps without a table, and ten more for each of its places. If there
// were too many states and they were used less often than that, this many octets do without the table.
const STATE_WORK = 50;
const PLACE_WORK = 10;
const OCTETS_WITHOUT = 1_048_576;

/** The most work of one call of `run`: octets for a tenth of a millisecond, or places or building for a millisecond. */
export const SLICE = 65_536;

export class Automaton {
  readonly #stepper: Stepper;
  /** The class of each octet. Octets that no expression tells apart are of one class. */
  readonly #classOf = new Uint8Array(256);
  /** One octet of each class. */
  readonly #octets: number[] = [];
  readonly #begin: Uint16Array;
  readonly #beginSteps: (Step | undefined)[] = [];
  /** Whether a state must know what stands before it even if its places have no assertion. */
  readonly #beginAsserts: boolean;
  /** The row of the next state for each state and class, times the number of classes. */
  #table: Int32Array;
  #states: State[] = new Array(FIRST_ROW);
  #known = new Map<string, State>();
  #placesKept = 0;
  #generation = 0;
  /** Octets since all states were last forgotten. */
  #octetsSeen = 0;
  #octetsWithout = 0;
  #work = 0;
  #now: PlaceSet;
  #next: PlaceSet;

  constructor(program: Program) {
    const size = program.instructions.length;
    this.#stepper = new Stepper(program);
    this.#now = new PlaceSet(size);
    this.#next = new PlaceSet(size);
    this.#findClasses(program);
    this.#table = new Int32Array(FIRST_ROWS * this.#octets.length);
    this.#now.addAll(program.entries);
    this.#begin = this.#stepper.close(this.#now);
    this.#beginAsserts = this.#stepper.hasAsserts(this.#begin);
  }

  /** A cursor at the start of a line. */
  start(): Cursor {
    return { state: this.#stateOf(new Uint16Array(0), EDGE), matched: undefined };
  }

  /**
   * Continues over `octets` from `at`. It stops when an expression matches, which `cursor` then says, or after a slice
   * of work. Returns the place where it stopped. The line of a match ends there or later.
   */
  run(cursor: Cursor, octets: Uint8Array, at: number): number {
    this.#work = 0;
    const part = octets.subarray(0, at + SLICE);
    const stop = this.#octetsWithout > 0 ? this.#runWithout(cursor, part, at) : this.#runTable(cursor, part, at);
    this.#octetsSeen += stop - at;
    this.#octetsWithout -= stop - at;
    return stop;
  }

  #runTable(cursor: Cursor, octets: Uint8Array, start: number): number {
    const classes = this.#octets.length;
    const classOf = this.#classOf;
    let row = this.#enter(cursor.state).row * classes;
    let table = this.#table;
    let at = start;
    while (at < octets.length) {
      const next = table[row + classOf[octets[at]!]!]!;
      if (next >= FIRST_ROW * classes) {
        row = next;
        at++;
        continue;
      }
      const { state, matched } = this.#build(row, classOf[octets[at]!]!);
      table = this.#table;
      if (matched !== NO_MATCH) {
        cursor.matched = matched;
        return at;
      }
      row = state.row * classes;
      at++;
      if (this.#work > SLICE) break;
    }
    cursor.state = this.#states[row / classes]!;
    return at;
  }

  #runWithout(cursor: Cursor, octets: Uint8Array, start: number): number {
    let { before } = cursor.state;
    this.#now.length = 0;
    this.#now.addAll(cursor.state.places);
    let at = start;
    while (at < octets.length && this.#work <= SLICE) {
      const octet = octets[at]!;
      const matched = this.#step(before, this.#classOf[octet]!);
      if (matched !== NO_MATCH) {
        cursor.matched = matched;
        return at;
      }
      [this.#now, this.#next] = [this.#next, this.#now];
      before = sideOf(octet);
      at++;
    }
    const places = this.#now.list.slice(0, this.#now.length);
    cursor.state = { places, before, row: 0, generation: LOOSE };
    return at;
  }

  // Builds a state again if it has no row, or has lost it meanwhile.
  #enter(state: State): State {
    if (state.generation === this.#generation) return state;
    this.#now.length = 0;
    this.#now.addAll(state.places);
    return this.#stateOf(this.#stepper.close(this.#now), state.before);
  }

  #build(row: number, octetClass: number): { state: State; matched: number } {
    const from = this.#states[row / this.#octets.length]!;
    this.#now.length = 0;
    this.#now.addAll(from.places);
    const matched = this.#step(from.before, octetClass);
    const generation = this.#generation;
    const state = matched === NO_MATCH
      ? this.#stateOf(this.#stepper.close(this.#next), sideOf(this.#octets[octetClass]!))
      : from;
    this.#work += STATE_WORK + PLACE_WORK * this.#next.length;
    if (generation === this.#generation) {
      this.#table[row + octetClass] = (matched !== NO_MATCH ? MATCH : state.row) * this.#octets.length;
    }
    return { state, matched };
  }

  // Moves the places of `#now`, and the places where expressions begin, to `#next` over an octet of the class.
  #step(before: Side, octetClass: number): number {
    const begun = this.#beginStep(before, octetClass);
    this.#next.length = 0;
    const matched = this.#stepper.step(this.#now, this.#next, { before, octet: this.#octets[octetClass]! });
    this.#next.addAll(begun.places);
    this.#work += 1 + this.#now.length + begun.places.length;
    return Math.min(matched, begun.matched);
  }

  #beginStep(before: Side, octetClass: number): Step {
    const key = before * this.#octets.length + octetClass;
    const known = this.#beginSteps[key];
    if (known) return known;
    const [now, next] = [new PlaceSet(this.#now.list.length), new PlaceSet(this.#now.list.length)];
    now.addAll(this.#begin);
    const matched = this.#stepper.step(now, next, { before, octet: this.#octets[octetClass]! });
    this.#work += now.length;
    return this.#beginSteps[key] = { places: this.#stepper.close(next), matched };
  }

  #stateOf(places: Uint16Array, side: Side): State {
    // Forgets what stands before if no assertion asks.
    const before = this.#beginAsserts || this.#stepper.hasAsserts(places) ? side : OTHER;
    const key = keyOf(places, before);
    return this.#known.get(key) ?? this.#add(key, places, before);
  }

  #add(key: string, places: Uint16Array, before: Side): State {
    const width = this.#octets.length;
    if ((this.#states.length + 1) * width > TABLE_LIMIT || this.#placesKept > PLACES_LIMIT) this.#forget();
    const state: State = { places, before, row: this.#states.length, generation: this.#generation };
    this.#states.push(state);
    this.#known.set(key, state);
    this.#placesKept += places.length;
    if (this.#states.length * width > this.#table.length) {
      const larger = new Int32Array(2 * this.#table.length);
      larger.set(this.#table);
      this.#table = larger;
    }
    return state;
  }

  #forget(): void {
    if (this.#octetsSeen < STATE_WORK * this.#states.length) this.#octetsWithout = OCTETS_WITHOUT;
    this.#octetsSeen = 0;
    this.#states = new Array(FIRST_ROW);
    this.#known.clear();
    this.#placesKept = 0;
    this.#generation++;
    this.#table = new Int32Array(FIRST_ROWS * this.#octets.length);
  }

  #findClasses({ instructions }: Program): void {
    const classOf = this.#classOf;
    const split = (isIn: (octet: number) => boolean) => {
      const found = new Map<number, number>();
      for (let octet = 0; octet < 256; octet++) {
        const key = 2 * classOf[octet]! + (isIn(octet) ? 1 : 0);
        if (!found.has(key)) found.set(key, found.size);
        classOf[octet] = found.get(key)!;
      }
    };
    split((octet) => octet === LF);
    split(isWord);
    const sets = instructions.flatMap((one) => one.kind === "octet" ? [one.set] : []);
    for (const set of new Set(sets)) split((octet) => set[octet] === 1);
    classOf.forEach((octetClass, octet) => this.#octets[octetClass] = octet);
  }
}

// String.fromCharCode takes the numbers as arguments. A few thousand are safe on every runtime's stack.
const ARGUMENTS = 4096;

function keyOf(places: Uint16Array, before: Side): string {
  let key = String(before);
  for (let at = 0; at < places.length; at += ARGUMENTS) {
    key += String.fromCharCode.apply(null, places.subarray(at, at + ARGUMENTS) as unknown as number[]);
  }
  return key;
}
