// Tests of lib/options/config_file.ts: the lines of a configuration file, what is wrong with some, and how they are printed.

import assert from "node:assert/strict";
import { formatConfigLines, parseConfigFile } from "../../lib/options/config_file.ts";
import { COUNT, type Kind, SECONDS } from "../../lib/options/kinds.ts";
import { counted, flag, option, optional, repeated } from "../../lib/options/table.ts";
import { UsageError } from "../../lib/ports/start_error.ts";

const WORD: Kind<string> = {
  shown: "WORD",
  parse: (text) => {
    if (/^[a-z ]+$/.test(text)) return text;
    throw new UsageError(`"${text}" is no word: give letters`);
  },
  print: (word) => word,
};

const common = { group: "x", help: "x" };
const TABLE = {
  one: {
    time: option({ long: "time-out", kind: SECONDS, default: 30_000, ...common }),
    count: option({ long: "count", kind: COUNT, default: 2, ...common }),
    name: optional({ long: "name", kind: WORD, ...common }),
  },
  two: {
    lists: repeated({ long: "list", kind: WORD, ...common }),
    strict: flag({ long: "strict", ...common }),
    verbose: counted({ long: "verbose", ...common }),
  },
};

function read(text: string) {
  const { settings, others, mistakes } = parseConfigFile(text, "F", { table: TABLE, others: { "next-hop": WORD } });
  const given = Object.fromEntries(settings.map(({ row, texts }) => [row.long, texts]));
  return { given, others: Object.fromEntries(others), mistakes };
}

const RIGHT: readonly [text: string, given: Record<string, readonly string[]>, others?: Record<string, string>][] = [
  ["", {}],
  ["\n \n# a comment\n", {}],
  ["time-out = 5", { "time-out": ["5"] }],
  ["time_out=5\n", { "time-out": ["5"] }],
  ["name\t=\ta b  \n", { name: ["a b"] }],
  // Continued, with a comment and an empty line between.
  ["name = a\n  b\n#c\n\n\td\nstrict = yes\n", { name: ["a b d"], strict: [""] }],
  ["name =\n a\n", { name: ["a"] }],
  // Repeated options add up, and an empty value is the default.
  ["list = a\nlist = b\n", { list: ["a", "b"] }],
  ["name =\nstrict = no\nlist =\n", { name: [], strict: [], list: [] }],
  ["verbose = 2\n", { verbose: ["", ""] }],
  ["verbose = yes\n", { verbose: [""] }],
  ["next_hop = mx\n", {}, { "next-hop": "mx" }],
];

Deno.test("parseConfigFile reads names and values", () => {
  for (const [text, given, others = {}] of RIGHT) {
    const found = read(text);
    assert.deepEqual(found, { given, others, mistakes: [] }, JSON.stringify(text));
  }
});

const WRONG: readonly [text: string, mistakes: readonly (string | RegExp)[]][] = [
  ["time-out = x", [/^F:1: time-out = x: .*"x"/]],
  ["\n\ntime-out = 5\ntime_out = 6\n", ["F:4: time-out = 6: it is given twice: give it once"]],
  ["strict = yes\nstrict = no\n", [/F:2: strict = no: it is given twice/]],
  ["strict = true\n", ['F:1: strict = true: "true" is no value of a flag: give yes or no']],
  ["verbose = 10\n", ['F:1: verbose = 10: "10" is no value of a flag: give yes or no, or a number']],
  ["lost = 1\n", ["F:1: lost = 1: no option has this name: see postprox --help"]],
  ["TIME-OUT = 1\n", [/F:1: TIME-OUT = 1: no option/]],
  ["config = x\n", [/F:1: config = x: no option/]],
  ["name a\n", ['F:1: "name a" is no setting: write name = value']],
  ["name = a\n  b\0\n", ['F:1: "name" has a NUL in its value: take it out']],
  ["= a\n", ['F:1: "= a" is no setting: write name = value']],
  [" name = a\n", ['F:1: "name = a" continues no line: begin a line with its name']],
  ["next-hop = 1\n", [/F:1: next-hop = 1: "1" is no word/]],
  ["next-hop = a\nnext-hop = b\n", [/F:2: next-hop = b: it is given twice/]],
  // All at once, each with the line where it begins.
  ["count = 0\nname = A\n  B\nlist = ok\nlist = 1\n", [/^F:1: count = 0: /, /^F:2: name = A B: /, /^F:5: list = 1: /]],
];

Deno.test("parseConfigFile finds all mistakes, each with its line and value", () => {
  for (const [text, expected] of WRONG) {
    const { mistakes } = read(text);
    assert.equal(mistakes.length, expected.length, mistakes.join("\n"));
    for (const [at, one] of expected.entries()) {
      if (typeof one === "string") assert.equal(mistakes[at], one);
      else assert.match(mistakes[at]!, one);
    }
  }
});

Deno.test("formatConfigLines prints lines that are read as the same value", () => {
  const rows: readonly [row: Parameters<typeof formatConfigLines>[0], value: unknown, lines: readonly string[]][] = [
    [TABLE.one.time, 1500, ["time-out = 1.5"]],
    [TABLE.one.name, undefined, ["name ="]],
    [TABLE.one.name, "a b", ["name = a b"]],
    [TABLE.two.lists, [], ["list ="]],
    [TABLE.two.lists, ["a", "b"], ["list = a", "list = b"]],
    [TABLE.two.strict, true, ["strict = yes"]],
    [TABLE.two.strict, false, ["strict = no"]],
    [TABLE.two.verbose, 0, ["verbose = 0"]],
    [TABLE.two.verbose, 2, ["verbose = 2"]],
  ];
  for (const [row, value, lines] of rows) {
    assert.deepEqual(formatConfigLines(row, value), lines);
    const [setting] = parseConfigFile(lines.join("\n"), "F", { table: TABLE, others: {} }).settings;
    const again = setting!.texts.reduce((before, text) => row.take(text, before), row.default);
    assert.deepEqual(again, value);
  }
});
