// Finds out whether the tests see faults: `deno task mutants [--from=N] [--check] [WORD...]`.
//
// It puts each mutant of tests/mutants.ts into a copy of the source, and runs the tests there until one fails. The
// tests that should see it come first, then all that need no real server. It prints a line for each mutant, and the
// sum. WORDs choose the mutants whose name has one of them. --check only says which mutants do not apply any more. The
// exit status is 1 if a mutant was missed or does not apply.

import { existsSync } from "node:fs";
import { type Mutant, MUTANTS } from "../tests/mutants.ts";
import { ROOT, runTool } from "./build.ts";

/**
 * These run after the tests that should see a mutant: quick tests, then tests that take longer, then tests with
 * processes.
 */
const LONGER = ["faults", "fuzz", "runtime", "scripts"];
const OUTSIDE = ["blackbox"];
const LEFT_OUT = ["e2e", "endurance", "hostile", "fakes"];
const names = Array.from(Deno.readDirSync(`${ROOT}tests`), ({ name }) => name)
  .filter((name) => !name.endsWith(".ts") || name.endsWith("_test.ts"));
const STAGES = [names.filter((name) => ![...LONGER, ...OUTSIDE, ...LEFT_OUT].includes(name)), LONGER, OUTSIDE];

const { from, isCheck, words } = readArguments();
const chosen = MUTANTS.filter(({ what, file }, at) =>
  at + 1 >= from && (words.length === 0 || words.some((word) => `${what} ${file}`.includes(word)))
);
const wrong = MUTANTS.filter((mutant) =>
  mutate(`${ROOT}${mutant.file}`, mutant) === undefined ||
  mutant.first.some((name) => !existsSync(`${ROOT}tests/${name}`))
);
for (const { what, file, first } of wrong) console.log(`does not apply: ${what} (${file}; ${first.join(", ")})`);

let missed = 0;
if (!isCheck) {
  const copy = Deno.makeTempDirSync({ prefix: "postprox_mutants_" });
  try {
    await copySource(copy);
    for (const mutant of chosen.filter((mutant) => !wrong.includes(mutant))) await tryOut(mutant, copy);
  } finally {
    Deno.removeSync(copy, { recursive: true });
  }
  console.log(`${chosen.length - missed} of ${chosen.length} seen`);
}
Deno.exit(missed + wrong.length > 0 ? 1 : 0);

async function tryOut(mutant: Mutant, copy: string): Promise<void> {
  const path = `${copy}/${mutant.file}`;
  const before = Deno.readTextFileSync(path);
  const start = performance.now();
  try {
    Deno.writeTextFileSync(path, mutate(path, mutant)!);
    const found = await findFailures(copy, [mutant.first, ...STAGES]);
    if (found === "") missed++;
    const number = MUTANTS.indexOf(mutant) + 1;
    const seconds = Math.round((performance.now() - start) / 1000);
    console.log(`${number}. ${mutant.what}: ${found === "" ? "MISSED" : found} (${seconds} s)`);
  } finally {
    Deno.writeTextFileSync(path, before);
  }
}

/** The test files of the first stage that fails. */
async function findFailures(copy: string, stages: readonly (readonly string[])[]): Promise<string> {
  for (const stage of stages) {
    const paths = stage.map((name) => `${copy}/tests/${name}`);
    const { stdout } = await runTool(
      [Deno.execPath(), "run", "--quiet", "-A", `${copy}/scripts/test.ts`, "--fail-fast", "--limit=200", ...paths],
      { install: "deno", cwd: copy },
    );
    const failed = [...stdout.matchAll(/^FAILED (?:tests\/)?(\S+): /gm)].map(([, file]) => file!);
    if (failed.length > 0) return failed.join(", ");
  }
  return "";
}

/** The text of the file with the mutant in it; undefined if the mutant does not apply. */
function mutate(path: string, { from, to }: Mutant): string | undefined {
  const parts = existsSync(path) ? Deno.readTextFileSync(path).split(from) : [];
  return parts.length === 2 ? parts.join(to) : undefined;
}

async function copySource(copy: string): Promise<void> {
  // It copies everything: a test that misses a file would fail for any mutant.
  const names = Array.from(Deno.readDirSync(ROOT), ({ name }) => name)
    .filter((name) => ![".git", "dist", "tmp"].includes(name));
  const { success, stderr } = await runTool(["cp", "-r", ...names.map((name) => ROOT + name), copy], { install: "cp" });
  if (!success) throw new Error(stderr);
}

function readArguments(): { from: number; isCheck: boolean; words: string[] } {
  const words: string[] = [];
  let from = 1;
  let isCheck = false;
  for (const arg of Deno.args) {
    if (arg === "--check") isCheck = true;
    else if (/^--from=\d+$/.test(arg)) from = Number(arg.slice(7));
    else if (!arg.startsWith("-")) words.push(arg);
    else {
      console.error("usage: deno task mutants [--from=N] [--check] [WORD...]");
      Deno.exit(64);
    }
  }
  return { from, isCheck, words };
}
