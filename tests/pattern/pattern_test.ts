// Tests of lib/pattern/: what expressions match, one by one and all at once, in text in any pieces. Also hostile texts.
//
// grep_test.ts compares random expressions with GNU grep. The tables here say what is meant.

import assert from "node:assert/strict";
import { Automaton, SLICE } from "../../lib/pattern/automaton.ts";
import { BackTracker } from "../../lib/pattern/back_tracker.ts";
import { LineScanner } from "../../lib/pattern/line_scanner.ts";
import { parsePattern, type Syntax } from "../../lib/pattern/parser.ts";
import { compilePattern, type Match, PatternError } from "../../lib/pattern/pattern.ts";
import { Program } from "../../lib/pattern/program.ts";
import { everyCut, octets, randomCut, randomText, SEED, seeded, spelled } from "../rig/octets.ts";
import { finish, setOf } from "./lines.ts";

type Row = readonly [source: string, matching: readonly string[], others: readonly string[]];

const BASIC: readonly Row[] = [
  // Anywhere in a line, in any case of ASCII.
  ["a", ["a", "xAx"], ["", "b"]],
  ["", ["", "a"], []],
  ["\xe9", ["\xe9"], ["\xc9", "e"]],
  // Any octet, NUL too.
  ["^.$", ["a", "\0", "\xff", "\r"], ["", "ab"]],
  // Anchors, and where they are literals.
  ["^a$", ["a"], ["ab", "ba"]],
  ["a^b$c", ["a^b$c"], ["abc"]],
  ["\\(^a\\)\\|\\(b$\\)", ["ax", "xb"], ["xa", "bx"]],
  ["^^a", ["^a"], ["a"]],
  ["a$$", ["a$"], ["a"]],
  // Repetition, and where its signs are literals.
  ["^a*b\\+c\\?$", ["b", "aabbc"], ["a", "bcc"]],
  ["*a", ["*a"], ["a"]],
  ["^*a", ["*a"], ["a", "x*a"]],
  ["\\(*a\\|*b\\)", ["*a", "*b"], ["a", "b"]],
  ["^a**$", ["", "aa"], ["*"]],
  ["^\\(ab\\)\\{2,3\\}$", ["abab", "ababab"], ["ab", "abababab"]],
  ["^a\\{2\\}\\{2\\}$", ["aaaa"], ["aaa", "aa"]],
  ["^a\\{,2\\}$", ["", "aa"], ["aaa"]],
  ["a+b?{1}|(c)", ["a+b?{1}|(c)"], ["ab"]],
  ["\\{1\\}", ["{1}"], ["1"]],
  // Groups and alternatives, empty ones too.
  ["^\\(a\\|b\\|\\)c$", ["ac", "bc", "c"], ["abc"]],
  // Brackets.
  ["[]a]", ["]", "a"], ["b"]],
  ["^[^]a]$", ["b"], ["]", "a", "A"]],
  ["^[a-c-]$", ["b", "B", "-"], ["d"]],
  ["^[\\n]$", ["\\", "n"], ["\n".repeat(0), "x"]],
  ["^[[:alpha:][:digit:]_]$", ["x", "7", "_"], ["-", "\xe9"]],
  ["^[[.-.]-/[=x=]]$", ["-", ".", "/", "X"], ["a"]],
  // What GNU adds.
  ["\\bfoo\\b", ["foo", "a foo.", "foo-bar"], ["foobar", "a_foo"]],
  ["\\<a\\Bb\\>", ["ab"], ["abc", "a b"]],
  ["^\\w\\W\\s\\S$", ["a- b"], ["aa b"]],
  ["\\`a\\'", ["a"], ["ab"]],
  ["\\.\\-\\/", [".-/"], ["x-/"]],
  // Back-references, in any case too; one to a group that was left out matches nothing.
  ["^\\(.*\\)-\\1$", ["ab-AB", "-"], ["ab-abc", "ab-ba"]],
  ["^\\(a\\)*b\\1$", ["aba"], ["b", "ab"]],
  ["^\\(a\\|ab\\)\\(c\\|bcd\\)\\2$", ["abcdbcd", "abcc"], ["abcd"]],
  ["\\(\\(a\\)b\\)\\2\\1", ["abaab"], ["abab"]],
];

const EXTENDED: readonly Row[] = [
  ["^(ab|c)+d?$", ["abc", "abd"], ["d", "ab|c"]],
  ["^a{2,}$", ["aa", "aaaa"], ["a"]],
  ["a{x}", ["a{x}"], ["a"]],
  ["a{1", ["a{1"], ["a"]],
  ["a)", ["a)"], ["a"]],
  ["*a", ["a"], ["b"]],
  ["a|*b", ["b"], ["c"]],
  ["x^|$", ["", "a"], []],
  ["a^b", [], ["a^b", "ab"]],
  ["\\(a\\)\\+", ["(a)+"], ["aa"]],
  ["^(.)\\1$", ["aA"], ["ab"]],
  ["^[0-9]+@", ["123@example.org"], ["a1@example.org"]],
];

Deno.test("compilePattern matches what it says, and only that", () => {
  for (const [syntax, rows] of [["basic", BASIC], ["extended", EXTENDED]] as const) {
    for (const [source, matching, others] of rows) {
      const pattern = compilePattern(octets(source), { syntax });
      for (const line of matching) assert.ok(pattern.matches(octets(line)), `${source} has to match ${line}`);
      for (const line of others) assert.equal(pattern.matches(octets(line)), false, `${source} must not match ${line}`);
    }
  }
});

Deno.test("compilePattern reads text as UTF-8", () => {
  assert.ok(compilePattern("\u00e9", { syntax: "extended" }).matches(octets("caf\xc3\xa9")));
});

Deno.test("compilePattern refuses wrong expressions", () => {
  const rows: readonly [syntax: Syntax, sources: readonly string[]][] = [
    ["basic", ["\\(", "\\)", "a\\{", "a\\{1", "a\\{,\\", "[", "[]", "[^", "[a-", "\\", "\\1", "\\1\\(a\\)", "a\nb"]],
    ["extended", ["(", "(a", "a{}", "a{2,1}", "a{1,2,3}", "a{32768}", "[", "\\", "(a)\\2", "(a)|b\\1", "(*)"]],
  ];
  for (const [syntax, sources] of rows) {
    for (const source of sources) {
      assert.throws(() => compilePattern(source, { syntax }), PatternError, source);
    }
  }
});

function firstMatch(sources: readonly string[], chunks: readonly string[]): Match | undefined {
  const scan = setOf(sources).scan();
  for (const chunk of chunks) {
    const match = finish(scan.take(octets(chunk)));
    if (match) return match;
  }
  return finish(scan.end());
}

Deno.test("Scan finds the first line that matches, and one expression of it, in text in any pieces", () => {
  const sources = ["^to: x$", "secret$", "\\(.\\)\\1\\1", "^$"];
  const rows: readonly [text: string, match?: readonly [expression: number, line: string]][] = [
    [""],
    ["a\nb\n"],
    ["a\nTo: X\nb\n", [0, "To: X"]],
    ["a\na SECRET\nto: x\n", [1, "a SECRET"]],
    ["secrets\n"],
    // A last line without its end.
    ["a\nb secret", [1, "b secret"]],
    ["a\nbaaad\n", [2, "baaad"]],
    ["to: x ccc", [2, "to: x ccc"]],
    // The lowest of several; what has back-references comes last.
    ["x\n\ny\n", [3, ""]],
    ["aaa secret\n", [1, "aaa secret"]],
  ];
  for (const [text, expected] of rows) {
    for (const chunks of everyCut(text)) {
      const match = firstMatch(sources, chunks);
      const found = match && [match.expression, spelled(match.line)];
      assert.deepEqual(found, expected && [...expected], JSON.stringify(chunks));
    }
  }
});

Deno.test("Scan finds the same in random texts in any pieces", () => {
  const sources = ["ab*c$", "\\bba\\b", "^c\\{2,\\}", "\\(a\\|b\\)c\\1"];
  const random = seeded(SEED);
  for (let count = 0; count < 500; count++) {
    const text = randomText(["a", "b", "c", " ", "\n"], 40, random);
    const whole = finish(setOf(sources).scan().take(octets(`${text}\n`)));
    const cut = firstMatch(sources, [...randomCut(`${text}\n`, 4, random)]);
    // Of a text in one piece the expressions without back-references are tried first.
    const where = `${JSON.stringify(text)}, POSTPROX_TEST_SEED=${SEED}`;
    assert.equal(cut === undefined, whole === undefined, where);
  }
});

Deno.test("Scan keeps only the beginning of a long line, and its time is linear", () => {
  const scan = setOf(["needle$"]).scan();
  const chunk = new Uint8Array(131_072).fill(0x78);
  let slices = 0;
  for (let size = 0; size < 50_000_000; size += chunk.length) {
    for (const _ of scan.take(chunk)) slices++;
  }
  // One for each slice: all of the text was a single step for each octet.
  assert.ok(slices <= 2 * 50_000_000 / SLICE + 20, `${slices} slices`);
  const match = finish(scan.take(octets("needle\n")));
  assert.equal(match?.line.length, 1000);
});

Deno.test("Scan: a text that is inside any of many expressions costs little", () => {
  const set = setOf(Array.from({ length: 60 }, (_, at) => `^Subject: .*word${at}.*offer`));
  const words = Array.from({ length: 60 }, (_, at) => `word${at}`);
  const random = seeded(SEED);
  const lines = Array.from({ length: 350 }, () => `Subject: ${randomText(words, 100, random)}\n`);
  let slices = 0;
  for (const _ of set.scan().take(octets(lines.join("")))) slices++;
  assert.ok(slices <= 300, `${slices} slices`);
});

Deno.test("Scan refuses more steps than it has room for, in any distribution", () => {
  const set = setOf(Array.from({ length: 16 }, () => "a\\{3000\\}b*"));
  assert.throws(() => set.add(octets("a\\{3000\\}b*")), PatternError);
});

Deno.test("Scan goes on with the next line when a search takes too long, and says so", () => {
  // Every way to cut the line is tried: two to the power of its length.
  const sources = ["^\\(a*\\)*\\(b*\\)*\\1x\\2$", "needle"];
  const hostile = `${"a".repeat(40)}${"b".repeat(40)}xy`;
  const scan = setOf(sources).scan({ searchLimit: 50_000 });
  let slices = 0;
  for (const _ of scan.take(octets(`${hostile}\n`))) slices++;
  assert.ok(slices >= 10, `${slices} slices`);
  assert.ok(scan.isUnsure);
  assert.equal(finish(scan.take(octets("a needle\n")))?.expression, 1);
});

Deno.test("Scan does not search a line of more than 1 MiB for back-references, even if it might match", () => {
  const chunk = "x".repeat(65_536);
  for (const [start, isUnsure] of [["a", true], ["b", false]] as const) {
    const scan = setOf(["^a\\(.\\)\\1$"]).scan();
    finish(scan.take(octets(start)));
    for (let count = 0; count < 17; count++) finish(scan.take(octets(chunk)));
    assert.equal(finish(scan.take(octets("\n"))), undefined);
    assert.equal(scan.isUnsure, isUnsure, start);
    assert.equal(spelled(finish(scan.take(octets("azz\n")))!.line), "azz");
  }
});

Deno.test("compilePattern gives up a search that explodes in a short text", () => {
  const pattern = compilePattern("^(a*)*(b*)*\\1x\\2$", { syntax: "extended" });
  assert.equal(pattern.matches(octets(`${"a".repeat(100)}${"b".repeat(100)}xy`)), undefined);
});

Deno.test("BackTracker bounds what it remembers", () => {
  const program = new Program({ exact: true });
  program.add(parsePattern(octets("\\(a\\|b\\|c\\)*\\1$"), "basic"), 0);
  const search = new BackTracker(program, new Uint8Array(1_000_000).fill(0x61), 100_000_000);
  let finding = search.run(10_000);
  while (finding === undefined) finding = search.run(10_000);
  assert.equal(finding, "not known");
});

Deno.test("BackTracker compares no more octets in a slice than it has steps, plus one comparison", () => {
  const program = new Program({ exact: true });
  program.add(parsePattern(octets("\\(aa*\\)\\1c"), "basic"), 0);
  const search = new BackTracker(program, new Uint8Array(10_000).fill(0x61), 1_000_000);
  let slices = 1;
  let finding = search.run(5_000);
  for (; finding === undefined; slices++) finding = search.run(5_000);
  assert.equal(finding, "not known");
  // The longest comparison is half of the line.
  assert.ok(slices >= 1_000_000 / (5_000 + 5_000), `${slices} slices`);
});

Deno.test("Automaton: cursors outlive the states that it forgets", () => {
  // More states than it keeps: each sequence of the last 16 octets is one.
  const program = new Program({ exact: false });
  program.add(parsePattern(octets("a[ab]\\{16\\}c"), "basic"), 0);
  const automaton = new Automaton(program);
  const random = seeded(SEED);
  const texts = Array.from({ length: 2 }, () => randomText(["a", "b"], 400_000, random) + "b".repeat(20));
  const cursors = texts.map(() => automaton.start());
  const at = [0, 0];
  for (let turn = 0; turn < 400_000 && at.some((place, one) => place < texts[one]!.length); turn++) {
    const one = turn % 2;
    const next = automaton.run(cursors[one]!, octets(texts[one]!.slice(at[one], at[one]! + 500)), 0);
    at[one]! += next;
    assert.equal(cursors[one]!.matched, undefined);
  }
  const line = octets(`a${"ab".repeat(8)}c\n`);
  for (const cursor of cursors) {
    automaton.run(cursor, line, 0);
    assert.equal(cursor.matched, 0);
  }
});

Deno.test("Automaton: goes through a text without its table if that is of no use, and finds the same", () => {
  // Words at random are ever new states.
  const source = "a[ab ]\\{16\\}c\\>";
  const expected = /a[ab ]{16}c(?!\w)/;
  const random = seeded(SEED);
  const lines = Array.from(
    { length: 5000 },
    () => randomText(["a", "b", "a", "b", "a", "b", "a", "b", " ", "c"], 200, random),
  );
  for (let at = 0; at < lines.length; at += 7) {
    lines[at] += ` a${randomText(["a", "b", " "], 15, random).padEnd(16, "b")}c${at % 2 === 0 ? "x" : ""}`;
  }
  const program = new Program({ exact: false });
  program.add(parsePattern(octets(source), "basic"), 0);
  const scanner = new LineScanner(new Automaton(program), 1000);
  const found: string[] = [];
  let slices = 0;
  for (const line of scanner.scan(octets(lines.map((text) => `${text}\n`).join("")))) {
    if (line) found.push(spelled(line.text));
    else slices++;
  }
  assert.deepEqual(found, lines.filter((line) => expected.test(line)), `POSTPROX_TEST_SEED=${SEED}`);
  assert.ok(found.length > 100 && slices > 100, `${found.length} lines in ${slices} slices`);
});

Deno.test("LineScanner yields each line that matches, once", () => {
  const program = new Program({ exact: false });
  program.add(parsePattern(octets("a"), "basic"), 0);
  const text = "xa\nb\naa a\n\na";
  for (const chunks of everyCut(text)) {
    const scanner = new LineScanner(new Automaton(program), 3);
    const found: string[] = [];
    for (const part of [...chunks.map((chunk) => scanner.scan(octets(chunk))), scanner.end()]) {
      for (const line of part) if (line) found.push(`${spelled(line.text)}${line.isWhole ? "" : "..."}`);
    }
    assert.deepEqual(found, ["xa", "aa ...", "a"], JSON.stringify(chunks));
  }
});
