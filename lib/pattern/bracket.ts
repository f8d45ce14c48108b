// Bracket expressions, `[...]` (POSIX s.9.3.5), of both syntaxes, as GNU grep -i reads them.
//
// A backslash means itself. A range goes by octet values. Its two ends are compared without case, so `[Z-a]` is
// refused. The range itself is taken as written, and then each member counts in both cases. Collating elements and
// equivalence classes are single octets, because the C locale has no others.

import { textOf } from "../text/octets.ts";
import { CLASSES, type OctetSet, octetsThat, toUpper } from "./octets.ts";
import { PatternError } from "./tree.ts";

interface Element {
  readonly test: (octet: number) => boolean;
  /** The octet, if it may be an end of a range. */
  readonly octet?: number;
  /** Whether it was written as one plain octet. */
  readonly isPlain: boolean;
  readonly end: number;
}

const HYPHEN = 0x2d;
const COLON = 0x3a;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;

const UNMATCHED = "unmatched [: give the ] that ends it";
const RANGE_END = "a range in brackets ends before it starts, case ignored: give the smaller octet first";
const NO_RANGE = "a - in brackets has no octet on either side: put it first or last to mean itself";

/** Reads the bracket expression whose `[` is at `at` - 1. Returns its set, and where the text after it begins. */
export function parseBracket(source: Uint8Array, at: number): { set: OctetSet; end: number } {
  const isNegated = source[at] === CARET;
  const start = isNegated ? at + 1 : at;
  const tests: Element["test"][] = [];
  let isPlain = true;
  let from = start;
  while (from === start || source[from] !== CLOSE) {
    const element = parseElement(source, from, from === start);
    const last = parseRangeEnd(source, element);
    tests.push(last ? rangeOf(element, last) : element.test);
    isPlain &&= element.isPlain && !last;
    from = (last ?? element).end;
  }
  if (isPlain) checkColons(source.subarray(start, from));
  const members = octetsThat((octet) => tests.some((test) => test(octet)));
  return { set: isNegated ? octetsThat((octet) => members[octet] === 0) : members, end: from + 1 };
}

function parseElement(source: Uint8Array, at: number, mayBeHyphen: boolean): Element {
  const octet = source[at];
  if (octet === undefined) throw new PatternError(UNMATCHED);
  if (octet === HYPHEN && !mayBeHyphen && source[at + 1] !== CLOSE) throw new PatternError(NO_RANGE);
  const mark = octet === OPEN ? source[at + 1] : undefined;
  if (mark !== undefined && ".=:".includes(String.fromCharCode(mark))) return parseNamed(source, at + 2, mark);
  return { test: (other) => other === octet, octet, isPlain: true, end: at + 1 };
}

// Reads `[:class:]`, `[=x=]` or `[.x.]`. The name begins at `at`.
function parseNamed(source: Uint8Array, at: number, mark: number): Element {
  let end = at;
  while (source[end] !== mark || source[end + 1] !== CLOSE) {
    if (end >= source.length) throw new PatternError(UNMATCHED);
    end++;
  }
  const name = source.subarray(at, end);
  const form = String.fromCharCode(OPEN, mark, ...name.subarray(0, 20), mark, CLOSE);
  const [octet] = name;
  const rest = { isPlain: false, end: end + 2 };
  if (mark === COLON) {
    const test = CLASSES.get(textOf(name));
    if (!test) throw new PatternError(`${form} is no class: give one of ${[...CLASSES.keys()].join(", ")}`);
    return { test, ...rest };
  }
  if (octet === undefined || name.length > 1) throw new PatternError(`${form} is not known: give a single octet`);
  const test = (other: number) => other === octet;
  return mark === COLON + 3 ? { test, ...rest } : { test, octet, ...rest };
}

function parseRangeEnd(source: Uint8Array, first: Element): Element | undefined {
  if (first.octet === undefined || source[first.end] !== HYPHEN || source[first.end + 1] === CLOSE) return undefined;
  return parseElement(source, first.end + 1, true);
}

function rangeOf({ octet: first }: Element, { octet: last }: Element): Element["test"] {
  if (first === undefined || last === undefined) throw new PatternError(NO_RANGE);
  if (toUpper(first) > toUpper(last)) throw new PatternError(RANGE_END);
  return (octet) => octet >= first && octet <= last;
}

// People write `[:space:]` and mean `[[:space:]]`.
function checkColons(content: Uint8Array): void {
  if (content[0] !== COLON || content.at(-1) !== COLON || content.every((octet) => octet === COLON)) return;
  const text = textOf(content);
  throw new PatternError(`[${text}] is a list of octets: give [[${text}]] for the class`);
}
