// A regular expression as a tree. The parser makes it, the compiler reads it.

import type { OctetSet } from "./octets.ts";

export type Tree =
  | { readonly kind: "empty" }
  | { readonly kind: "octet"; readonly set: OctetSet }
  | { readonly kind: "assert"; readonly what: Assertion }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Tree[] }
  /** `max` is Infinity if there is no bound. */
  | { readonly kind: "repeat"; readonly part: Tree; readonly min: number; readonly max: number }
  | { readonly kind: "group"; readonly part: Tree; readonly number: number }
  /** The text that this group matched last. */
  | { readonly kind: "reference"; readonly number: number };

/** A condition between two octets. */
export type Assertion = "line-start" | "line-end" | "word-start" | "word-end" | "word-edge" | "no-word-edge";

/** A wrong expression. The message says what is wrong. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}
