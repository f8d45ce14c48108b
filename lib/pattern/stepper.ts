// Runs a program octet by octet, at all its places at once, and remembers no states. The cost of a step is the number
// of places.
//
// Places that need no octet to get to are found on the way. An assertion depends on the octets on both sides. So it is
// checked together with the octet after it, and so is the end of an expression.

import { LF } from "../text/octets.ts";
import { isWord, type OctetSet } from "./octets.ts";
import type { Instruction, Program } from "./program.ts";
import type { Assertion } from "./tree.ts";

/** The text on one side of a place: its edge, a word octet, or another octet. */
export type Side = typeof EDGE | typeof WORD | typeof OTHER;
export const EDGE = 0;
export const WORD = 1;
export const OTHER = 2;

export const NO_MATCH = Infinity;

/** Numbers of instructions in the order in which they came. Each stands there once. */
export class PlaceSet {
  readonly list: Uint16Array;
  length = 0;
  /** Where a place stands in the list, if it is there. */
  readonly #index: Uint16Array;

  constructor(size: number) {
    this.list = new Uint16Array(size);
    this.#index = new Uint16Array(size);
  }

  add(place: number): void {
    const index = this.#index[place]!;
    if (index < this.length && this.list[index] === place) return;
    this.#index[place] = this.length;
    this.list[this.length++] = place;
  }

  addAll(places: ArrayLike<number>): void {
    for (let at = 0; at < places.length; at++) this.add(places[at]!);
  }
}

// Instructions as rows of numbers: much faster than objects of several kinds.
const KINDS = ["octet", "assert", "split", "jump", "match"] as const;
const [OCTET, ASSERT, SPLIT, JUMP, MATCH] = [0, 1, 2, 3, 4] as const;

export class Stepper {
  readonly #kinds: Uint8Array;
  readonly #sets: readonly (OctetSet | undefined)[];
  readonly #assertions: readonly (Assertion | undefined)[];
  /** The target of a split or a jump, or the number of the expression that matches. */
  readonly #first: Uint16Array;
  readonly #second: Uint16Array;

  constructor({ instructions }: Program) {
    this.#kinds = Uint8Array.from(instructions, (one) => (KINDS as readonly string[]).indexOf(one.kind));
    this.#sets = instructions.map((one) => one.kind === "octet" ? one.set : undefined);
    this.#assertions = instructions.map((one) => one.kind === "assert" ? one.what : undefined);
    this.#first = Uint16Array.from(instructions, firstOf);
    this.#second = Uint16Array.from(instructions, (one) => one.kind === "split" ? one.second : 0);
  }

  /**
   * Adds to `next` the places that `octet` leads to from `now`, and to `now` the places that need no octet. Returns the
   * lowest number of an expression that has matched before the octet.
   */
  step(now: PlaceSet, next: PlaceSet, { before, octet }: { before: Side; octet: number }): number {
    const kinds = this.#kinds;
    let matched = NO_MATCH;
    for (let at = 0; at < now.length; at++) {
      const place = now.list[at]!;
      switch (kinds[place]) {
        case OCTET:
          if (this.#sets[place]![octet] === 1) next.add(place + 1);
          break;
        case ASSERT:
          if (holds(this.#assertions[place]!, before, sideOf(octet))) now.add(place + 1);
          break;
        case MATCH:
          matched = Math.min(matched, this.#first[place]!);
          break;
        default:
          this.#follow(now, place);
      }
    }
    return matched;
  }

  /**
   * The places that `set` leads to without an octet and that take an octet, assert something, or match. They are in
   * order.
   */
  close(set: PlaceSet): Uint16Array {
    for (let at = 0; at < set.length; at++) this.#follow(set, set.list[at]!);
    return set.list.subarray(0, set.length).filter((place) => !this.#leads(place)).sort();
  }

  hasAsserts(places: Uint16Array): boolean {
    return places.some((place) => this.#kinds[place] === ASSERT);
  }

  #leads(place: number): boolean {
    return this.#kinds[place] === JUMP || this.#kinds[place] === SPLIT;
  }

  #follow(set: PlaceSet, place: number): void {
    if (!this.#leads(place)) return;
    set.add(this.#first[place]!);
    if (this.#kinds[place] === SPLIT) set.add(this.#second[place]!);
  }
}

function firstOf(one: Instruction): number {
  switch (one.kind) {
    case "split":
      return one.first;
    case "jump":
      return one.to;
    case "match":
      return one.expression;
    default:
      return 0;
  }
}

export function sideOf(octet: number): Side {
  return octet === LF ? EDGE : isWord(octet) ? WORD : OTHER;
}

function holds(what: Assertion, before: Side, after: Side): boolean {
  switch (what) {
    case "line-start":
      return before === EDGE;
    case "line-end":
      return after === EDGE;
    case "word-start":
      return before !== WORD && after === WORD;
    case "word-end":
      return before === WORD && after !== WORD;
    case "word-edge":
      return (before === WORD) !== (after === WORD);
    case "no-word-edge":
      return (before === WORD) === (after === WORD);
  }
}
