// What a regular expression says, as a tree: what the parser makes and the compiler reads.

import type { OctetSet } from "./octets.ts";

export type Tree =
  | { readonly kind: "empty" }
  | { readonly kind: "octet"; readonly set: OctetSet }
  | { readonly kind: "assert"; readonly what: Assertion }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Tree[] }
  /** `max` is Infinity where there is no bound. */
  | { readonly kind: "repeat"; readonly part: Tree; readonly min: number; readonly max: number }
  | { readonly kind: "group"; readonly part: Tree; readonly number: number }
  /** What the group of that number matched last. */
  | { readonly kind: "reference"; readonly number: number };

/** What has to hold between two octets. */
export type Assertion = "line-start" | "line-end" | "word-start" | "word-end" | "word-edge" | "no-word-edge";

/** An expression that is wrong; the message says what is. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}
