// Compares the expressions with GNU grep: seeded random ones on seeded random lines. There may be no difference in what
// matches and in what is refused. The tests play a batch of each kind. `deno task fuzz` plays as many as it is told.
//
// There are three kinds of expressions: some follow the grammar, some of those have back-references, and some are its
// words in any order, so that many are wrong. grep has two matchers. Cases that it answers in more than one way are
// left out:
//
//     [A-z], [[=a=]], [[.a.]]   a range over both cases, and collating elements, depend on the matcher
//     \(a*\)*, \1*              back-references to groups that are repeated or may be empty, and repeated ones
//     {                         in extended expressions, where it begins no interval: in the words alone

import assert from "node:assert/strict";
import { PatternError } from "../../lib/pattern/pattern.ts";
import type { Syntax } from "../../lib/pattern/parser.ts";
import { octets, randomText, seeded } from "../rig/octets.ts";
import { finish, linesOf, setOf } from "./lines.ts";

type Random = () => number;

/** In a batch, which has the same lines for all. */
const FILES = 100;
const LINES = 60;

const REFUSED = "refused";

const OCTETS = [
  "a",
  "a",
  "b",
  "b",
  "A",
  "B",
  "c",
  " ",
  "-",
  "_",
  "1",
  "*",
  "{",
  "}",
  "^",
  "$",
  "\\",
  "]",
  "\xe9",
  "\0",
];

const BRACKETS = [
  "[ab]",
  "[^ab]",
  "[]a]",
  "[^]a]",
  "[a-c]",
  "[^a-c1-9]",
  "[[:alpha:]]",
  "[^[:upper:]_]",
  "[[:digit:][:space:]]",
  "[[:punct:]]",
  "[a-]",
  "[-a]",
  "[\\a]",
  "[*$^]",
  "[\xe0-\xff]",
  "[^\xe9]",
  ...["cntrl", "graph", "print", "blank", "xdigit", "alnum", "lower"].map((name) => `[[:${name}:]]`),
];

const ATOMS = ["a", "a", "b", "b", "c", ".", "\\w", "\\W", "\\s", "\\S", "\\.", "\\*", "-", " ", "\xe9", ...BRACKETS];

const ANCHORS = ["^", "$", "\\<", "\\>", "\\b", "\\B", "\\`", "\\'"];

const INTERVALS = ["0,0", "1", "2", "0,1", "1,2", "2,", ",2", ",", "0,3"];

const WRONG = [
  "[a",
  "[",
  "[]",
  "[b-a]",
  "[Z-a]",
  "[a-c-e]",
  "[a-[:alpha:]]",
  "[[:foo:]]",
  "[[.ab.]]",
  "[[=]",
  "[[:alpha:]",
  "[:alpha:]",
  "\\1",
  "\\2",
  "\\",
  "\\{",
  "\\}",
  "\\{1",
  "\\{1\\}",
  "\\{1a\\}",
  "\\{2,1\\}",
  "{1",
  "{1}",
  "{,x}",
  "{2,1}",
  "{1,2,3}",
  "{}",
  "]",
];

function expression(syntax: Syntax, random: Random, references: boolean): string {
  const operator = (text: string) => (syntax === "basic" ? `\\${text}` : text);
  const one = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
  let groups = 0;
  const ended: number[] = [];
  const choice = (depth: number): string => {
    const before = [...ended];
    const parts = [sequence(depth)];
    while (random() < 0.15) {
      const kept = ended.splice(0, ended.length, ...before);
      parts.push(sequence(depth));
      ended.push(...kept.filter((number) => !ended.includes(number)));
    }
    return parts.join(operator("|"));
  };
  const sequence = (depth: number): string => {
    let text = random() < 0.1 ? one(ANCHORS) : "";
    for (let count = Math.floor(random() * 4); count >= 0; count--) text += piece(depth);
    return text + (random() < 0.1 ? one(ANCHORS) : "");
  };
  const piece = (depth: number): string => {
    const draw = random();
    if (draw < 0.04) return one(ANCHORS);
    if (references && draw < 0.3 && ended.length > 0) return `\\${one(ended.map(String))}`;
    if (depth === 0 || groups === 9 || draw > (references ? 0.6 : 0.25)) return one(ATOMS) + repetition();
    const number = ++groups;
    const group = operator("(") + choice(depth - 1) + operator(")");
    ended.push(number);
    return references ? group : group + repetition();
  };
  const repetition = (): string => {
    const draw = random();
    if (draw < 0.6) return "";
    if (draw < 0.75) return "*";
    if (draw < 0.82) return operator("+");
    if (draw < 0.9) return operator("?");
    return operator("{") + one(INTERVALS) + operator("}");
  };
  return choice(3);
}

function words(syntax: Syntax, random: Random): string {
  const operators = ["(", ")", "|", "+", "?", "{", "}"].map((text) => (syntax === "basic" ? `\\${text}` : text));
  return randomText([...ATOMS, ...ANCHORS, ...operators, ...operators, "*", "*", "^", "$", ...WRONG], 6, random);
}

/** grep's answer for each expression in `files`: the numbers of the lines that it finds, or a refusal. */
async function grep(syntax: Syntax, files: readonly string[], lines: string): Promise<(string | undefined)[]> {
  const letter = syntax === "basic" ? "-G" : "-E";
  const command = `LC_ALL=C timeout 1 grep -a -i -n ${letter} -f "$file" ${lines} 2>/dev/null`;
  const script = `for file; do ${command}; echo "=$?"; done`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, "sh", ...files] }).output();
  const results: (string | undefined)[] = [];
  let found: string[] = [];
  for (const line of linesOf(stdout)) {
    if (!line.startsWith("=")) {
      found.push(line.slice(0, line.indexOf(":")));
      continue;
    }
    // With back-references grep may take too long, too.
    results.push(line === "=2" ? REFUSED : /^=[01]$/.test(line) ? found.join() : undefined);
    found = [];
  }
  return results;
}

/** Our answer for the expressions in `sources`, all at once. */
function ours(syntax: Syntax, sources: readonly string[], lines: readonly string[]): string | undefined {
  try {
    const set = setOf(sources, syntax);
    const found: number[] = [];
    for (const [at, line] of lines.entries()) {
      const scan = set.scan();
      if (finish(scan.take(octets(`${line}\n`)))) found.push(at + 1);
      if (scan.isUnsure) return undefined;
    }
    return found.join();
  } catch (error) {
    if (error instanceof PatternError) return REFUSED;
    throw error;
  }
}

export interface Batch {
  readonly syntax: Syntax;
  readonly kind: keyof typeof KINDS;
  /** So many expressions in one file. */
  readonly size: number;
}

const KINDS = {
  "expressions": (syntax: Syntax, random: Random) => expression(syntax, random, false),
  "expressions with back-references": (syntax: Syntax, random: Random) => expression(syntax, random, true),
  "words in any order": words,
} as const;

/** One batch of each kind, and of files with several expressions. */
export const BATCHES: readonly Batch[] = (["basic", "extended"] as const).flatMap((syntax) => [
  { syntax, kind: "expressions", size: 1 },
  { syntax, kind: "expressions with back-references", size: 1 },
  { syntax, kind: "words in any order", size: 1 },
  { syntax, kind: "expressions", size: 5 },
  { syntax, kind: "expressions with back-references", size: 3 },
]);

/** Plays a batch of expressions, those of `seed`, and throws at the first difference. */
export async function compareWithGrep({ syntax, kind, size }: Batch, seed: number): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "postprox_test_" });
  const seen = { refused: 0, found: 0, skipped: 0, all: 0 };
  try {
    const random = seeded(seed);
    const lines = Array.from({ length: LINES }, () => randomText(OCTETS, 9, random));
    const sources = Array.from(
      { length: FILES },
      () => Array.from({ length: size }, () => KINDS[kind](syntax, random)),
    );
    const files = sources.map((_, at) => `${dir}/${at}`);
    await Deno.writeFile(`${dir}/lines`, octets(lines.map((line) => `${line}\n`).join("")));
    for (const [at, file] of files.entries()) await Deno.writeFile(file, octets(`${sources[at]!.join("\n")}\n`));
    const theirs = await grep(syntax, files, `${dir}/lines`);
    assert.equal(theirs.length, files.length);
    for (const [at, expected] of theirs.entries()) {
      const found = ours(syntax, sources[at]!, lines);
      seen.all++;
      if (expected === undefined || found === undefined) seen.skipped++;
      else assert.equal(found, expected, `${JSON.stringify(sources[at])}, ${syntax}, seed ${seed}`);
      if (found === REFUSED) seen.refused++;
      else if (found) seen.found++;
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
  // A comparison that hardly ever matches compares nothing.
  assert.ok(seen.found > seen.all / 6 && seen.skipped < seen.all / 20, JSON.stringify(seen));
}
