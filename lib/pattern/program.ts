// Compiles the tree of an expression to a program: instructions for the automaton and for the back-tracker.
//
// Each instruction has a number. The next one follows unless the instruction says otherwise. The automaton runs an
// approximation of an expression with back-references: a back-reference matches any text. The length of a program has a
// bound. An expression that has no room in it throws a `PatternError`.

import { LF } from "../text/octets.ts";
import { type OctetSet, octetsThat } from "./octets.ts";
import { type Assertion, PatternError, type Tree } from "./tree.ts";

export type Instruction =
  /** Takes one octet of the set. */
  | { readonly kind: "octet"; readonly set: OctetSet }
  | { readonly kind: "assert"; readonly what: Assertion }
  /** Continues at both. The back-tracker tries the first one first. */
  | { readonly kind: "split"; readonly first: number; readonly second: number }
  | { readonly kind: "jump"; readonly to: number }
  /** The expression with that number matches. */
  | { readonly kind: "match"; readonly expression: number }
  /** For the back-tracker: keeps the place in the text in a slot. */
  | { readonly kind: "save"; readonly slot: number }
  /** For the back-tracker: jumps if nothing was taken since the slot was saved. */
  | { readonly kind: "leave"; readonly slot: number; readonly to: number }
  /** For the back-tracker: takes the same text as stands between two slots. */
  | { readonly kind: "refer"; readonly from: number; readonly until: number };

/**
 * The length that all expressions of one file may need: 10,000 words of four letters. Instruction numbers fit in 16
 * bits.
 */
export const LENGTH_LIMIT = 50_000;

export const TOO_LONG = `it needs an automaton of more than ${LENGTH_LIMIT} steps, all expressions together`;

const ANY = octetsThat((octet) => octet !== LF);

export class Program {
  readonly instructions: Instruction[] = [];
  /** Where each expression begins. */
  readonly entries: number[] = [];
  slots = 0;
  readonly #isExact: boolean;
  /** The slot of the beginning of each group. The next slot is for its end. */
  readonly #groups = new Map<number, number>();

  /** An `exact` program is for the back-tracker. */
  constructor({ exact }: { exact: boolean }) {
    this.#isExact = exact;
  }

  /** Adds an expression under the number `expression`. */
  add(tree: Tree, expression: number): void {
    const start = this.instructions.length;
    try {
      this.#compile(tree);
      this.#emit({ kind: "match", expression });
    } catch (error) {
      this.instructions.length = start;
      throw error;
    }
    this.entries.push(start);
  }

  #compile(tree: Tree): void {
    switch (tree.kind) {
      case "empty":
        return;
      case "octet":
      case "assert":
        return void this.#emit(tree);
      case "sequence":
        return tree.parts.forEach((part) => this.#compile(part));
      case "choice":
        return this.#compileChoice(tree.parts);
      case "repeat":
        return this.#compileRepeat(tree.part, tree.min, tree.max);
      case "group":
        return this.#compileGroup(tree.part, tree.number);
      case "reference":
        return this.#compileReference(tree.number);
    }
  }

  #compileChoice(parts: readonly Tree[]): void {
    const jumps: number[] = [];
    for (const part of parts.slice(0, -1)) {
      const split = this.#emit(TO_COME);
      this.#compile(part);
      jumps.push(this.#emit(TO_COME));
      this.#set(split, { kind: "split", first: split + 1, second: this.#next });
    }
    this.#compile(parts.at(-1)!);
    for (const jump of jumps) this.#set(jump, { kind: "jump", to: this.#next });
  }

  #compileRepeat(part: Tree, min: number, max: number): void {
    const start = this.#next;
    for (let count = 0; count < min; count++) {
      this.#compile(part);
      // Nothing, repeated, is still nothing.
      if (this.#next === start) return;
    }
    if (max === Infinity) return this.#compileLoop(part);
    const splits: number[] = [];
    for (let count = min; count < max; count++) {
      splits.push(this.#emit(TO_COME));
      this.#compile(part);
    }
    for (const split of splits) this.#set(split, { kind: "split", first: split + 1, second: this.#next });
  }

  // A round that takes nothing ends the loop.
  #compileLoop(part: Tree): void {
    const split = this.#emit(TO_COME);
    const guard = this.#isExact && mayBeEmpty(part) ? this.slots++ : undefined;
    if (guard !== undefined) this.#emit({ kind: "save", slot: guard });
    this.#compile(part);
    const leave = guard === undefined ? undefined : this.#emit(TO_COME);
    this.#emit({ kind: "jump", to: split });
    this.#set(split, { kind: "split", first: split + 1, second: this.#next });
    if (leave !== undefined) this.#set(leave, { kind: "leave", slot: guard!, to: this.#next });
  }

  #compileGroup(part: Tree, number: number): void {
    if (!this.#isExact) return this.#compile(part);
    const slot = this.#slotOf(number);
    this.#emit({ kind: "save", slot });
    this.#compile(part);
    this.#emit({ kind: "save", slot: slot + 1 });
  }

  #compileReference(number: number): void {
    if (!this.#isExact) return this.#compileLoop({ kind: "octet", set: ANY });
    const from = this.#slotOf(number);
    this.#emit({ kind: "refer", from, until: from + 1 });
  }

  #slotOf(group: number): number {
    let slot = this.#groups.get(group);
    if (slot === undefined) {
      slot = this.slots;
      this.slots += 2;
      this.#groups.set(group, slot);
    }
    return slot;
  }

  get #next(): number {
    return this.instructions.length;
  }

  #emit(instruction: Instruction): number {
    if (this.#next >= LENGTH_LIMIT) throw new PatternError(TOO_LONG);
    return this.instructions.push(instruction) - 1;
  }

  #set(at: number, instruction: Instruction): void {
    this.instructions[at] = instruction;
  }
}

/** Holds the place of an instruction until its target is known. */
const TO_COME: Instruction = { kind: "jump", to: 0 };

function mayBeEmpty(tree: Tree): boolean {
  switch (tree.kind) {
    case "octet":
      return false;
    case "sequence":
      return tree.parts.every(mayBeEmpty);
    case "choice":
      return tree.parts.some(mayBeEmpty);
    case "repeat":
      return tree.min === 0 || mayBeEmpty(tree.part);
    case "group":
      return mayBeEmpty(tree.part);
    case "empty":
    case "assert":
    case "reference":
      return true;
  }
}

/** Whether the expression has back-references. */
export function hasReferences(tree: Tree): boolean {
  return someTree(tree, "reference");
}

/** Whether the expression repeats a part. Some texts lead such an expression to many places at once. */
export function hasRepeats(tree: Tree): boolean {
  return someTree(tree, "repeat");
}

function someTree(tree: Tree, kind: Tree["kind"]): boolean {
  if (tree.kind === kind) return true;
  switch (tree.kind) {
    case "sequence":
    case "choice":
      return tree.parts.some((part) => someTree(part, kind));
    case "repeat":
    case "group":
      return someTree(tree.part, kind);
    default:
      return false;
  }
}
