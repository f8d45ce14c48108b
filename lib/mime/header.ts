// Reads the header of a message field by field (RFC 5322 s.2.2), and changes it. Pure. The octets may come in any
// pieces.
//
// The header ends before the first line that is neither a field nor the continuation of one. Mostly that is the empty
// line. A line of nothing but CR counts as empty, because servers remove the CRs. Lines end with LF. Memory grows with
// the longest field name, which has a bound, and not with the header.
//
// Changes work as in the milter protocol: each one sees the header as the changes before it left it.

import { bytesOf, concat, CR, HT, LF, SP, textOf } from "../text/octets.ts";

/**
 * `value` may have several lines. Each line after the first is a continuation. A name that no field can have changes
 * nothing.
 */
export type HeaderChange =
  /** `at`: how many fields stand before it. A negative count starts at the end with -1. Absent: at the end. */
  | { readonly do: "add"; readonly name: string; readonly value: string; readonly at?: number }
  /**
   * `which`: the number of the field among those of this name, in any case. 1 is the top one, -1 the bottom one. Absent
   * or 0: all.
   */
  | { readonly do: "remove"; readonly name: string; readonly which?: number };

/** The changes that a check wants in the header of a message. */
export interface HeaderEdit {
  /**
   * A whole new header, with LF as line ends and without the empty line. It replaces the old one before all changes.
   */
  readonly whole?: Uint8Array;
  readonly changes?: readonly HeaderChange[];
}

/** How many fields a header has, and how many of each name that was asked for. Names are in lower case. */
export interface HeaderCounts {
  readonly all: number;
  readonly named: ReadonlyMap<string, number>;
}

/** A change with its place found. A new field stands after `after` others, or at the end. `which` is 0 for all. */
export type HeaderStep =
  | { readonly do: "add"; readonly name: string; readonly octets: Uint8Array; readonly after: number | "all" }
  | { readonly do: "remove"; readonly name: string; readonly which: number };

// RFC 5322 s.2.1.1 allows lines of 998 octets. Nobody takes a line for a field if its name is longer than this.
const NAME_LIMIT = 65_536;

const NAME = /^[!-9;-~]+$/;

const EMPTY = new Uint8Array(0);
const LINE_END = Uint8Array.of(LF);

/**
 * A part of a message. `field`: a field begins, and `name` is in lower case. `others`: `count` fields begin here, and
 * their names are of no interest. `more`: the last field goes on. `body`: all after the header.
 */
export type HeaderPiece =
  | { readonly kind: "field"; readonly name: string; readonly octets: Uint8Array }
  | { readonly kind: "others"; readonly count: number; readonly octets: Uint8Array }
  | { readonly kind: "more"; readonly octets: Uint8Array }
  /**
   * `isParted`: the header ends with an empty line, as it should. The empty line belongs to the body. Only the first
   * piece of the body tells this.
   */
  | { readonly kind: "body"; readonly octets: Uint8Array; readonly isParted: boolean };

/** Tells the fields of a message apart. */
export class HeaderScanner {
  // The names of interest, by their length. Undefined if all names are of interest.
  #names: ReadonlyMap<number, readonly string[]> | undefined;
  #where: "field" | "line" | "body" = "line";
  #hasField = false;
  // The beginning of a line that cannot be understood yet.
  #kept: Uint8Array = EMPTY;

  /** From now on only `names` are of interest, which are in lower case. All other fields come together. */
  lookFor(names: ReadonlySet<string>): void {
    this.#names = Map.groupBy(names, ({ length }) => length);
  }

  /** The pieces of the next octets of the message. They are parts of `chunk`, except the first one. */
  push(chunk: Uint8Array): HeaderPiece[] {
    if (this.#where === "body") return chunk.length > 0 ? [{ kind: "body", octets: chunk, isParted: true }] : [];
    const octets = this.#kept.length > 0 ? concat([this.#kept, chunk]) : chunk;
    this.#kept = EMPTY;
    const pieces: HeaderPiece[] = [];
    let others = 0;
    let begin = 0;
    const endOthers = (end: number) => {
      if (others > 0) pieces.push({ kind: "others", count: others, octets: octets.subarray(begin, end) });
      others = 0;
    };
    for (let at = 0; at < octets.length;) {
      if (this.#where === "field" || (this.#hasField && isBlank(octets[at]))) {
        const end = this.#endOfField(octets, at);
        pieces.push({ kind: "more", octets: octets.subarray(at, end) });
        at = end;
        continue;
      }
      const nameEnd = endOfName(octets, at);
      if (nameEnd <= at) {
        endOthers(at);
        if (nameEnd === UNKNOWN) {
          this.#kept = octets.slice(at);
        } else {
          this.#where = "body";
          pieces.push({ kind: "body", octets: octets.subarray(at), isParted: nameEnd === EMPTY_LINE });
        }
        return pieces;
      }
      this.#hasField = true;
      const name = this.#nameOfInterest(octets.subarray(at, nameEnd));
      const end = this.#endOfField(octets, at);
      if (name === undefined) {
        if (others++ === 0) begin = at;
      } else {
        endOthers(at);
        pieces.push({ kind: "field", name, octets: octets.subarray(at, end) });
      }
      at = end;
    }
    endOthers(octets.length);
    return pieces;
  }

  /** The rest at the end of the message. */
  end(): HeaderPiece[] {
    return this.#kept.length > 0 ? [{ kind: "body", octets: this.#kept, isParted: false }] : [];
  }

  /** Whether the header has ended. */
  get isOver(): boolean {
    return this.#where === "body";
  }

  #nameOfInterest(octets: Uint8Array): string | undefined {
    if (!this.#names) return textOf(octets).toLowerCase();
    return this.#names.get(octets.length)?.find((name) => isName(octets, name));
  }

  // A line that begins with a blank belongs to the field before it (RFC 5322 s.2.2.3).
  #endOfField(octets: Uint8Array, start: number): number {
    for (let at = start;;) {
      const end = octets.indexOf(LF, at) + 1;
      this.#where = end === 0 ? "field" : "line";
      if (end === 0) return octets.length;
      if (!isBlank(octets[end])) return end;
      at = end;
    }
  }
}

function isBlank(octet: number | undefined): boolean {
  return octet === SP || octet === HT;
}

// Whether `octets` are `name`, which is in lower case and as long.
function isName(octets: Uint8Array, name: string): boolean {
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at]!;
    if ((octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet) !== name.charCodeAt(at)) return false;
  }
  return true;
}

// There is no name: nobody can know yet, or an empty line or other text begins the body.
const UNKNOWN = -1;
const EMPTY_LINE = -2;
const NO_NAME = -3;

// The end of the field name that begins at `start`.
function endOfName(octets: Uint8Array, start: number): number {
  let at = start;
  while (isNameOctet(octets[at])) at++;
  const end = at;
  if (end === start) {
    while (octets[at] === CR) at++;
    if (octets[at] === LF) return EMPTY_LINE;
  } else {
    while (isBlank(octets[at])) at++;
    if (octets[at] === 0x3a) return end;
  }
  return at === octets.length && at - start < NAME_LIMIT ? UNKNOWN : NO_NAME;
}

function isNameOctet(octet: number | undefined): boolean {
  return octet !== undefined && octet > 0x20 && octet < 0x7f && octet !== 0x3a;
}

/** Counts the fields of a message. */
export class FieldCounter {
  readonly #named: Map<string, number>;
  #all = 0;

  /** It counts the names that stand in `changes`. */
  constructor(changes: readonly HeaderChange[]) {
    this.#named = new Map(changes.map(({ name }) => [name.toLowerCase(), 0]));
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#named.keys());
  }

  push(pieces: readonly HeaderPiece[]): void {
    for (const piece of pieces) {
      if (piece.kind === "others") this.#all += piece.count;
      if (piece.kind !== "field") continue;
      this.#all++;
      const count = this.#named.get(piece.name);
      if (count !== undefined) this.#named.set(piece.name, count + 1);
    }
  }

  get counts(): HeaderCounts {
    return { all: this.#all, named: this.#named };
  }
}

/** Finds the places of `changes` in a header with these `counts`. Changes without effect are left out. */
export function headerSteps(changes: readonly HeaderChange[], counts: HeaderCounts): HeaderStep[] {
  let { all } = counts;
  const named = new Map(counts.named);
  const steps: HeaderStep[] = [];
  for (const change of changes) {
    const name = change.name.toLowerCase();
    const count = named.get(name) ?? 0;
    if (change.do === "add") {
      if (!NAME.test(name)) continue;
      const { at = -1 } = change;
      const after = at >= 0 ? at : Math.max(0, all + at + 1);
      const octets = formatField(change.name, change.value);
      steps.push({ do: "add", name, octets, after: after < all ? after : "all" });
      all++;
      named.set(name, count + 1);
      continue;
    }
    const { which = 0 } = change;
    const place = which < 0 ? count + which + 1 : which;
    if (count === 0 || place > count || place < 0 || (place === 0 && which !== 0)) continue;
    steps.push({ do: "remove", name, which: place });
    all -= place === 0 ? count : 1;
    named.set(name, place === 0 ? 0 : count - 1);
  }
  return steps;
}

/** Formats the field `name` with this `value`, in UTF-8. No text in the value can end the field or the header. */
export function formatField(name: string, value: string): Uint8Array {
  const [first = "", ...more] = value.split(/\r*\n|\r/);
  // deno-lint-ignore no-control-regex
  const clean = (line: string) => line.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, " ").trimEnd();
  const lines = more.map(clean).filter((line) => line.trim() !== "");
  return bytesOf(
    [`${name}: ${clean(first)}`, ...lines.map((line) => /^[ \t]/.test(line) ? line : `\t${line}`)].join("\n") + "\n",
  );
}

/** Changes the header of one message. Its results are valid until the next call. */
export class HeaderEditor {
  readonly #scanner = new HeaderScanner();
  readonly #whole: Uint8Array | undefined;
  readonly #steps: readonly HeaderStep[];
  // For each step, how many fields it has seen that it could stand before or could remove.
  readonly #seen: number[];
  readonly #added = new Set<HeaderStep>();
  // New fields that wait for their place between others. While there are some, each field has to be counted.
  #waiting: number;
  #countsAll = true;
  #keepsField = true;
  #isOver = false;
  #lastOctet: number = LF;
  #isEmpty = true;
  #out: Uint8Array[] = [];

  /** `whole` replaces the header of the message. Then the places in `steps` are those in `whole`. */
  constructor({ whole, steps }: { whole?: Uint8Array | undefined; steps: readonly HeaderStep[] }) {
    this.#whole = whole;
    this.#steps = steps;
    this.#seen = steps.map(() => 0);
    this.#waiting = steps.filter((step) => step.do === "add" && step.after !== "all").length;
    this.#chooseNames();
  }

  /** Whether the header has ended. All further octets pass unchanged. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Changes the next octets of the message. */
  push(chunk: Uint8Array): Uint8Array[] {
    const out = this.#take(this.#scanner.push(chunk));
    this.#chooseNames();
    return out;
  }

  #chooseNames(): void {
    if (!this.#countsAll || (this.#waiting > 0 && !this.#whole)) return;
    this.#countsAll = false;
    const removed = this.#steps.flatMap((step) => step.do === "remove" ? [step.name] : []);
    this.#scanner.lookFor(new Set(this.#whole ? [] : removed));
  }

  /** Returns the octets that come at the end of the message. */
  end(): Uint8Array[] {
    const rest = this.#take(this.#scanner.end());
    if (this.#isOver) return rest;
    this.#finish();
    return [...rest, ...this.#taken()];
  }

  #take(pieces: readonly HeaderPiece[]): Uint8Array[] {
    for (const piece of pieces) {
      if (piece.kind !== "body") {
        if (!this.#whole) this.#header(piece);
        continue;
      }
      if (!this.#isOver) {
        this.#finish();
        // Without an empty line, some programs would take the body for a part of the header, and others would not.
        if (!piece.isParted && !this.#isEmpty) this.#write(LINE_END);
      }
      this.#write(piece.octets);
    }
    return this.#taken();
  }

  #header(piece: Exclude<HeaderPiece, { kind: "body" }>): void {
    if (piece.kind === "field") this.#keepsField = this.#offer(0, piece.name);
    else if (piece.kind === "others") this.#keepsField = true;
    if (this.#keepsField) this.#write(piece.octets);
  }

  // Whether a field passes the steps from `first` on. It also writes the new fields that come before it.
  #offer(first: number, name: string): boolean {
    for (let at = first; at < this.#steps.length; at++) {
      const step = this.#steps[at]!;
      if (step.do === "add") {
        if (this.#seen[at] === step.after) this.#add(step, at);
        this.#seen[at]!++;
      } else if (step.name === name) {
        const count = ++this.#seen[at]!;
        if (step.which === 0 || step.which === count) return false;
      }
    }
    return true;
  }

  #add(step: HeaderStep & { do: "add" }, at: number): void {
    this.#added.add(step);
    if (step.after !== "all") this.#waiting--;
    if (!this.#offer(at + 1, step.name)) return;
    this.#endLine();
    this.#write(step.octets);
  }

  // The last line of a message or of a whole new header may lack its line end.
  #endLine(): void {
    if (this.#lastOctet !== LF) this.#write(LINE_END);
  }

  #finish(): void {
    this.#isOver = true;
    if (this.#whole) {
      for (const piece of new HeaderScanner().push(this.#whole)) if (piece.kind !== "body") this.#header(piece);
    }
    this.#steps.forEach((step, at) => {
      if (step.do === "add" && !this.#added.has(step)) this.#add(step, at);
    });
    if (this.#whole) this.#endLine();
  }

  #write(octets: Uint8Array): void {
    if (octets.length === 0) return;
    const last = this.#out.at(-1);
    // Fields that stay beside each other stay in one piece: each piece may become a write.
    if (last && last.buffer === octets.buffer && last.byteOffset + last.length === octets.byteOffset) {
      this.#out[this.#out.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + octets.length);
    } else this.#out.push(octets);
    this.#lastOctet = octets.at(-1)!;
    this.#isEmpty = false;
  }

  #taken(): Uint8Array[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }
}
