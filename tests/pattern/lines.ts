// Shared by the tests of this folder: lines of octets, and which of them a set of expressions matches.

import { type Match, PatternSet, type Work } from "../../lib/pattern/pattern.ts";
import type { Syntax } from "../../lib/pattern/parser.ts";
import { octets, spelled } from "../rig/octets.ts";

/** The lines of `bytes`, each without its end. */
export function linesOf(bytes: Uint8Array): string[] {
  return spelled(bytes).split("\n").slice(0, -1);
}

/** Does all of `work`. */
export function finish(work: Work): Match | undefined {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** A set of expressions. */
export function setOf(sources: readonly string[], syntax: Syntax = "basic"): PatternSet {
  const set = new PatternSet(syntax);
  for (const source of sources) set.add(octets(source));
  return set;
}
