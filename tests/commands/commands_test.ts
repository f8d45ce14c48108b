// Tests of lib/commands/commands.ts: which command a command line asks for.

import assert from "node:assert/strict";
import type { CommandRow } from "../../lib/commands/command.ts";
import { allOptions, COMMANDS, readWords, SERVE } from "../../lib/commands/commands.ts";

const OPTIONS = await allOptions();

const load = () => Promise.reject(new Error("nothing is to be loaded"));

const TABLE: readonly CommandRow[] = [
  ...COMMANDS,
  { word: "judge", load },
  { option: { long: "judge-all", group: "information", help: "judge all" }, load },
];

Deno.test("readWords finds the command by its first word or its option, and otherwise serves", () => {
  const rows: readonly [args: string, named: string | undefined, operands: readonly string[]][] = [
    ["mx", undefined, ["mx"]],
    ["-v mx", undefined, ["mx"]],
    ["--help", "help", []],
    ["mx --postfix-config", "postfix-config", ["mx"]],
    ["judge", "judge", []],
    ["judge -v a b", "judge", ["a", "b"]],
    ["judge judge", "judge", ["judge"]],
    // A server of that name.
    ["judge:25", undefined, ["judge:25"]],
    ["-v judge", undefined, ["judge"]],
    ["-- judge", undefined, ["judge"]],
    ["mx --judge-all", "judge-all", ["mx"]],
    ["judge --help", "help", []],
    ["check a b", "check", ["a", "b"]],
    ["check:25", undefined, ["check:25"]],
    ["doctor --send=a@example.org a:25", "doctor", ["a:25"]],
    ["doctor:25", undefined, ["doctor:25"]],
    ["quarantine list", "quarantine", ["list"]],
    ["quarantine:25", undefined, ["quarantine:25"]],
    ["reload 4711", "reload", ["4711"]],
    ["reload:25", undefined, ["reload:25"]],
  ];
  for (const [args, named, operands] of rows) {
    const { command, line } = readWords(args.split(" "), { commands: TABLE });
    assert.equal(command.word ?? command.option?.long, named, args);
    assert.equal(command === SERVE, named === undefined, args);
    assert.deepEqual(line.operands, operands, args);
  }
});

Deno.test("allOptions has each name once, and names that a shell can take", () => {
  const names = OPTIONS.flatMap(({ short, long }) => short === undefined ? [long] : [short, long]);
  assert.equal(new Set(names).size, names.length);
  for (const { short, long } of OPTIONS) {
    assert.match(long, /^[a-z][a-z-]+$/);
    assert.match(short ?? "x", /^[A-Za-z]$/);
  }
});

Deno.test("allOptions has every option of the manual", () => {
  const pairs = OPTIONS.map(({ short, long }) => `${short} ${long}`);
  const manual = ["c command", "d tempdir", "t timeout", "r reject", "v verbose", "l listen", "h help", "L license"];
  for (const pair of [...manual, "V version"]) assert.ok(pairs.includes(pair), pair);
});
