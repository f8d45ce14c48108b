// A run of many inputs, one after another, from one seed.
//
// Input number n of seed s has random numbers of its own. So it does not depend on how far an earlier run got, except
// for the inputs that it mutates. An input that meets something new is kept for mutations: a new feature of the
// dialogue, or a new order of two features. An input that breaks a rule is returned as it is, to be kept as JSON.

import { seeded } from "../rig/octets.ts";
import { chance, generate, mutate, pick } from "./generate.ts";
import type { Input } from "./input.ts";
import { judge, type Judgement, standing } from "./judge.ts";
import { playInput } from "./world.ts";

export interface Failure {
  readonly number: number;
  readonly input: Input;
  readonly complaints: readonly string[];
}

export interface Progress {
  readonly inputs: number;
  readonly failures: readonly Failure[];
  readonly features: number;
  readonly stock: number;
}

const STOCK_LIMIT = 20_000;

/** Plays `input` and judges it. */
export async function tryInput(input: Input): Promise<Judgement> {
  return judge(await playInput(input, standing));
}

export class Campaign {
  readonly #seed: number;
  readonly #stock: Input[] = [];
  readonly #met = new Set<string>();
  readonly #failures: Failure[] = [];
  #inputs = 0;

  constructor(seed: number, stock: readonly Input[] = []) {
    this.#seed = seed;
    this.#stock.push(...stock);
  }

  get progress(): Progress {
    const { length } = this.#stock;
    return { inputs: this.#inputs, failures: this.#failures, features: this.#met.size, stock: length };
  }

  /** Tries one more input; gives its failure, if it is one. */
  async next(): Promise<Failure | undefined> {
    const number = this.#inputs++;
    const random = seeded(mixed(this.#seed, number));
    const fresh = this.#stock.length < 50 || chance(0.5, random);
    const input = fresh ? generate(random) : mutate(pick(this.#stock, random), pick(this.#stock, random), random);
    const { complaints, features } = await tryInput(input);
    if (complaints.length > 0) {
      const failure = { number, input, complaints };
      this.#failures.push(failure);
      return failure;
    }
    if (this.#isNew(features)) this.#keep(input, random);
    return undefined;
  }

  #isNew(features: readonly string[]): boolean {
    const before = this.#met.size;
    features.forEach((feature, at) => this.#met.add(at === 0 ? feature : `${features[at - 1]} > ${feature}`));
    return this.#met.size > before;
  }

  #keep(input: Input, random: () => number): void {
    if (this.#stock.length < STOCK_LIMIT) this.#stock.push(input);
    else this.#stock[Math.floor(random() * STOCK_LIMIT)] = input;
  }
}

// Neighbouring numbers make seeds that have nothing in common.
function mixed(seed: number, number: number): number {
  let state = (seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b) >>> 0;
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35) >>> 0;
  return (state ^ (state >>> 16)) >>> 0;
}
