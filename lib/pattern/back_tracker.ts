// Matches one line with an expression that has back-references: it tries all ways, one after another.
//
// The time of such a search can double with each octet of the line. So the search works in slices and gives up after a
// number of steps. Then the result is unknown. It uses no recursion: a stack with a bound holds what is still to try.

import { isWord, toLower } from "./octets.ts";
import type { Instruction, Program } from "./program.ts";
import type { Assertion } from "./tree.ts";

export type Finding = "match" | "no match" | "not known";

// A stack of 8 MB. It holds two numbers for each thing to try or to undo.
const STACK_LIMIT = 2_097_152;

export class BackTracker {
  readonly #instructions: readonly Instruction[];
  readonly #entry: number;
  readonly #line: Uint8Array;
  readonly #slots: Int32Array;
  #stepsLeft: number;
  #start = 0;
  #at = 0;
  #next: number;
  // Pairs: an instruction to continue with and its place, or ~slot and the slot's former value.
  #stack = new Int32Array(64);
  #depth = 0;

  /** `program` has one expression. After `limit` steps the search gives up. */
  constructor(program: Program, line: Uint8Array, limit: number) {
    this.#instructions = program.instructions;
    this.#entry = this.#next = program.entries[0]!;
    this.#line = line;
    this.#slots = new Int32Array(program.slots).fill(-1);
    this.#stepsLeft = limit;
  }

  /** Searches for at most `steps` more steps; undefined if it is not done then. */
  run(steps: number): Finding | undefined {
    const until = Math.max(0, this.#stepsLeft - steps);
    while (this.#stepsLeft > until) {
      this.#stepsLeft--;
      const instruction = this.#instructions[this.#next]!;
      if (instruction.kind === "match") return "match";
      if (this.#depth + 4 > STACK_LIMIT) return "not known";
      if (!this.#take(instruction) && !this.#goBack()) return "no match";
    }
    return this.#stepsLeft <= 0 ? "not known" : undefined;
  }

  // False if the line does not have what the instruction wants.
  #take(instruction: Exclude<Instruction, { kind: "match" }>): boolean {
    this.#next++;
    switch (instruction.kind) {
      case "octet":
        return this.#at < this.#line.length && instruction.set[this.#line[this.#at++]!] === 1;
      case "assert":
        return this.#holds(instruction.what);
      case "split":
        this.#push(instruction.second, this.#at);
        this.#next = instruction.first;
        return true;
      case "jump":
        this.#next = instruction.to;
        return true;
      case "save":
        this.#push(~instruction.slot, this.#slots[instruction.slot]!);
        this.#slots[instruction.slot] = this.#at;
        return true;
      case "leave":
        if (this.#slots[instruction.slot] === this.#at) this.#next = instruction.to;
        return true;
      case "refer":
        return this.#takeAgain(this.#slots[instruction.from]!, this.#slots[instruction.until]!);
    }
  }

  // Goes to the newest way that is not tried yet, or to the next place in the line to start from.
  #goBack(): boolean {
    while (this.#depth > 0) {
      this.#depth -= 2;
      const what = this.#stack[this.#depth]!;
      const value = this.#stack[this.#depth + 1]!;
      if (what >= 0) {
        this.#next = what;
        this.#at = value;
        return true;
      }
      this.#slots[~what] = value;
    }
    this.#next = this.#entry;
    this.#at = ++this.#start;
    return this.#start <= this.#line.length;
  }

  #takeAgain(from: number, until: number): boolean {
    // A group that was left out matches nothing, not even the empty text.
    if (until === -1 || this.#at + until - from > this.#line.length) return false;
    // Each octet counts as a step.
    this.#stepsLeft -= until - from;
    for (let at = from; at < until; at++) {
      if (toLower(this.#line[at]!) !== toLower(this.#line[this.#at++]!)) return false;
    }
    return true;
  }

  #holds(what: Assertion): boolean {
    const isAfterWord = this.#at > 0 && isWord(this.#line[this.#at - 1]!);
    const isBeforeWord = this.#at < this.#line.length && isWord(this.#line[this.#at]!);
    switch (what) {
      case "line-start":
        return this.#at === 0;
      case "line-end":
        return this.#at === this.#line.length;
      case "word-start":
        return !isAfterWord && isBeforeWord;
      case "word-end":
        return isAfterWord && !isBeforeWord;
      case "word-edge":
        return isAfterWord !== isBeforeWord;
      case "no-word-edge":
        return isAfterWord === isBeforeWord;
    }
  }

  #push(what: number, value: number): void {
    if (this.#depth === this.#stack.length) {
      const larger = new Int32Array(2 * this.#stack.length);
      larger.set(this.#stack);
      this.#stack = larger;
    }
    this.#stack[this.#depth++] = what;
    this.#stack[this.#depth++] = value;
  }
}
