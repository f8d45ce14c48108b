// The header of a message, field by field (RFC 5322 s.2.2), and how it is changed. Pure; octets come in any pieces.
//
// The header ends before the first line that is neither a field nor the continuation of one. Such a line is mostly the
// empty one, and a line of nothing but CR is empty, too: servers remove them. Lines end with LF. Memory grows with the
// longest name of a field, which has a bound, and not with the header.
//
// Changes are those of the milter protocol: each one sees the header as the changes before have left it.

import { bytesOf, concat, CR, HT, LF, SP, textOf } from "../text/octets.ts";

/** `value` may have several lines: each further one is a continuation. A name that no field can have changes nothing. */
export type HeaderChange =
  /** `at`: the count of fields that stand before it; from -1, the end, back for a negative one. Absent: at the end. */
  | { readonly do: "add"; readonly name: string; readonly value: string; readonly at?: number }
  /** `which` of the fields of that name, in any case: from 1 at the top, from -1 at the bottom. Absent or 0: all. */
  | { readonly do: "remove"; readonly name: string; readonly which?: number };

/** What somebody wants of the header of a message. */
export interface HeaderEdit {
  /** A whole new header, with LF as line ends and without the empty line. It is there before all changes. */
  readonly whole?: Uint8Array;
  readonly changes?: readonly HeaderChange[];
}

/** What there is of a header: how many fields, and how many of each name that was asked for, in lower case. */
export interface HeaderCounts {
  readonly all: number;
  readonly named: ReadonlyMap<string, number>;
}

/** A change with its place found. A new field stands behind `after` others; `which` is 0 for all. */
export type HeaderStep =
  | { readonly do: "add"; readonly name: string; readonly octets: Uint8Array; readonly after: number }
  | { readonly do: "remove"; readonly name: string; readonly which: number };

// RFC 5322 s.2.1.1 has lines of 998 octets. What is longer than this before its colon is no field to anybody.
const NAME_LIMIT = 65_536;

const NAME = /^[!-9;-~]+$/;

const EMPTY = new Uint8Array(0);
const LINE_END = Uint8Array.of(LF);

/** A part of a message. `field`: one begins, `name` is in lower case; `more` of it; `body`: all behind the header. */
export type HeaderPiece =
  | { readonly kind: "field"; readonly name: string; readonly octets: Uint8Array }
  | { readonly kind: "more"; readonly octets: Uint8Array }
  /** `isParted`: the header ends with an empty line, as it should. That belongs to the body, and says so once. */
  | { readonly kind: "body"; readonly octets: Uint8Array; readonly isParted: boolean };

/** Tells the fields of a message apart. */
export class HeaderScanner {
  #where: "field" | "line" | "body" = "line";
  #hasField = false;
  // The beginning of a line that is not understood yet.
  #kept: Uint8Array = EMPTY;

  /** The pieces of the next octets of the message; they are parts of `chunk`, but for the first one. */
  push(chunk: Uint8Array): HeaderPiece[] {
    if (this.#where === "body") return chunk.length > 0 ? [{ kind: "body", octets: chunk, isParted: true }] : [];
    const octets = this.#kept.length > 0 ? concat([this.#kept, chunk]) : chunk;
    this.#kept = EMPTY;
    const pieces: HeaderPiece[] = [];
    for (let at = 0; at < octets.length;) {
      if (this.#where === "field" || (this.#hasField && isBlank(octets[at]))) {
        const end = this.#endOfField(octets, at);
        pieces.push({ kind: "more", octets: octets.subarray(at, end) });
        at = end;
        continue;
      }
      const name = nameAt(octets, at);
      if (name === "more") {
        this.#kept = octets.slice(at);
        break;
      }
      if (typeof name !== "object") {
        this.#where = "body";
        pieces.push({ kind: "body", octets: octets.subarray(at), isParted: name === "empty line" });
        break;
      }
      this.#hasField = true;
      const end = this.#endOfField(octets, at);
      pieces.push({ kind: "field", ...name, octets: octets.subarray(at, end) });
      at = end;
    }
    return pieces;
  }

  /** What is left at the end of the message. */
  end(): HeaderPiece[] {
    return this.#kept.length > 0 ? [{ kind: "body", octets: this.#kept, isParted: false }] : [];
  }

  /** Whether the header is over. */
  get isOver(): boolean {
    return this.#where === "body";
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

function nameAt(octets: Uint8Array, start: number): { name: string } | "more" | "empty line" | "none" {
  let at = start;
  while (isNameOctet(octets[at])) at++;
  const end = at;
  if (end === start) {
    while (octets[at] === CR) at++;
    if (octets[at] === LF) return "empty line";
  } else {
    while (isBlank(octets[at])) at++;
    if (octets[at] === 0x3a) return { name: textOf(octets.subarray(start, end)).toLowerCase() };
  }
  return at === octets.length && at - start < NAME_LIMIT ? "more" : "none";
}

function isNameOctet(octet: number | undefined): boolean {
  return octet !== undefined && octet > 0x20 && octet < 0x7f && octet !== 0x3a;
}

/** Counts the fields of a message. */
export class FieldCounter {
  readonly #named: Map<string, number>;
  #all = 0;

  /** `changes` say which names are of interest. */
  constructor(changes: readonly HeaderChange[]) {
    this.#named = new Map(changes.map(({ name }) => [name.toLowerCase(), 0]));
  }

  push(pieces: readonly HeaderPiece[]): void {
    for (const piece of pieces) {
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

/** Finds the places of `changes` in a header with these `counts`. Those that change nothing are left out. */
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
      steps.push({ do: "add", name, octets: formatField(change.name, change.value), after });
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

/** The field `name` with this `value`, in UTF-8. Nothing that stands in the value can end it, or the header. */
export function formatField(name: string, value: string): Uint8Array {
  const [first = "", ...more] = value.split(/\r*\n|\r/);
  // deno-lint-ignore no-control-regex
  const clean = (line: string) => line.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, " ").trimEnd();
  const lines = more.map(clean).filter((line) => line.trim() !== "");
  return bytesOf(
    [`${name}: ${clean(first)}`, ...lines.map((line) => /^[ \t]/.test(line) ? line : `\t${line}`)].join("\n") + "\n",
  );
}

/** Changes the header of one message. What it gives is valid until the next call. */
export class HeaderEditor {
  readonly #scanner = new HeaderScanner();
  readonly #whole: Uint8Array | undefined;
  readonly #steps: readonly HeaderStep[];
  // How many fields each step has seen that it could stand before, or could remove.
  readonly #seen: number[];
  readonly #added = new Set<HeaderStep>();
  #keepsField = true;
  #isOver = false;
  #lastOctet: number = LF;
  #isEmpty = true;
  #out: Uint8Array[] = [];

  /** `whole` stands in place of the header of the message: then that is the one whose places `steps` know. */
  constructor({ whole, steps }: { whole?: Uint8Array | undefined; steps: readonly HeaderStep[] }) {
    this.#whole = whole;
    this.#steps = steps;
    this.#seen = steps.map(() => 0);
  }

  /** Whether the header is over: what comes now is passed on as it is. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What the next octets of the message become. */
  push(chunk: Uint8Array): Uint8Array[] {
    return this.#take(this.#scanner.push(chunk));
  }

  /** What comes at the end of the message. */
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
        // Without it the body would be taken for a part of the header by some, and not by others.
        if (!piece.isParted && !this.#isEmpty) this.#write(LINE_END);
      }
      this.#write(piece.octets);
    }
    return this.#taken();
  }

  #header(piece: Exclude<HeaderPiece, { kind: "body" }>): void {
    if (piece.kind === "field") this.#keepsField = this.#offer(0, piece.name);
    if (this.#keepsField) this.#write(piece.octets);
  }

  // Whether a field passes the steps from `first` on. New fields that come before it are written.
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
    if (!this.#offer(at + 1, step.name)) return;
    this.#endLine();
    this.#write(step.octets);
  }

  // The last line of a message, or of a whole new header, need not have an end.
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
    this.#out.push(octets);
    this.#lastOctet = octets.at(-1)!;
    this.#isEmpty = false;
  }

  #taken(): Uint8Array[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }
}
