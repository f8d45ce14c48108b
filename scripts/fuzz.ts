// Long fuzz runs: `deno task fuzz`, with `--seed N`, `--count N` (a million), `--seconds N`, `--codec N`, `--grep N`.
//
// It compares the dot codec with slow ones, then regular expressions with GNU grep (N batches of each kind). Then it
// plays sessions.
//
// It prints the seed, the rate and the findings. It writes a failing input to tmp/fuzz/ as JSON. To play an input
// again: `deno task fuzz --input FILE`. Put a file that shows a fault into tests/fuzz/corpus/. The tests play the files
// there, and each run starts from them. The exit status is 1 if a rule was broken.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { Campaign, type Failure, tryInput } from "../tests/fuzz/campaign.ts";
import { tryCodec } from "../tests/fuzz/codec.ts";
import { readCorpus } from "../tests/fuzz/corpus.ts";
import { BATCHES, compareWithGrep } from "../tests/pattern/grep.ts";

const FOLDER = new URL("../tmp/fuzz/", import.meta.url);
const FAILURES_KEPT = 50;

// Errors are common here, and nobody looks at their stacks. `--input` shows them.
const options = parse(Deno.args);
if (!options.input) Error.stackTraceLimit = 0;
let reported = 0;
if (options.input) await playAgain(options.input);
else await run();

async function run(): Promise<void> {
  const { seed, count, seconds, codec, grep } = options;
  console.log(`seed ${seed}, ${count} inputs${seconds === Infinity ? "" : ` or ${seconds} s`}`);
  const start = performance.now();
  for (let number = 0; number < codec; number++) tryCodec(seed * 1_000_003 + number);
  console.log(`codec: ${codec} texts, ${perSecond(codec, start)}`);
  await compareExpressions(seed, grep);

  const campaign = new Campaign(seed, readCorpus().map(({ input }) => input));
  const begun = performance.now();
  let shown = begun;
  while (campaign.progress.inputs < count && performance.now() - begun < seconds * 1000) {
    const failure = await campaign.next();
    if (failure) report(failure);
    if (performance.now() - shown < (process.stdout.isTTY ? 1000 : 60_000)) continue;
    shown = performance.now();
    if (process.stdout.isTTY) process.stdout.write(`\r${summary(campaign, begun)}\x1b[K`);
    else console.log(summary(campaign, begun));
  }
  console.log(`${process.stdout.isTTY ? "\r" : ""}${summary(campaign, begun)}`);
  if (campaign.progress.failures.length > 0) Deno.exitCode = 1;
}

async function compareExpressions(seed: number, batches: number): Promise<void> {
  const start = performance.now();
  for (let batch = 0; batch < batches; batch++) {
    for (const kind of BATCHES) {
      try {
        await compareWithGrep(kind, seed * 1_000_003 + batch);
      } catch (error) {
        console.log(`BROKEN: expressions: ${(error as Error).message}`);
        Deno.exitCode = 1;
      }
    }
  }
  console.log(`expressions: ${batches} batches of each kind, ${perSecond(batches * BATCHES.length * 100, start)}`);
}

function summary({ progress }: Campaign, start: number): string {
  const { inputs, failures, features, stock } = progress;
  return `session: ${inputs} inputs, ${perSecond(inputs, start)}, ${failures.length} failures, ${features} features, ` +
    `${stock} in stock`;
}

function perSecond(count: number, start: number): string {
  return `${Math.round(count / (performance.now() - start) * 1000)}/s`;
}

function report({ number, input, complaints }: Failure): void {
  const name = `${options.seed}-${number}.json`;
  console.log(`\ninput ${number} of seed ${options.seed}: ${complaints.join("; ")}`);
  if (reported++ >= FAILURES_KEPT) return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(new URL(name, FOLDER), `${JSON.stringify({ about: complaints[0], input }, null, 2)}\n`);
  console.log(`play it again: deno task fuzz --input tmp/fuzz/${name}`);
}

async function playAgain(file: string): Promise<void> {
  const { complaints, features } = await tryInput(JSON.parse(readFileSync(file, "utf8")).input);
  for (const feature of features) console.log(feature);
  for (const complaint of complaints) console.log(`BROKEN: ${complaint}`);
  if (complaints.length > 0) Deno.exitCode = 1;
}

function parse(args: readonly string[]) {
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    if (!/^--(?:seed|count|seconds|codec|grep|input)$/.test(args[at]!) || args[at + 1] === undefined) {
      console.error("usage: deno task fuzz [--seed N] [--count N] [--seconds N] [--codec N] [--grep N] [--input FILE]");
      Deno.exit(64);
    }
    given.set(args[at]!.slice(2), args[at + 1]!);
  }
  const number = (name: string, otherwise: number) => Number(given.get(name) ?? otherwise);
  return {
    seed: number("seed", Date.now() % 1_000_000),
    count: number("count", 1_000_000),
    seconds: number("seconds", Infinity),
    codec: number("codec", 200_000),
    grep: number("grep", 20),
    input: given.get("input"),
  };
}
