// Measures postprox beside what people would use instead.
//
//     deno task bench [--short] [--page] [--only=GROUP,…] [NAME=listen:PORT | NAME=spawn:COMMAND]…
//     deno task bench --rewrite
//
// It prints the tables. --page also writes docs/proofs/benchmarks.md, which says how everything is measured, its pictures, and
// results.json, of which both are made. --rewrite makes the page and its pictures of the kept results, after a change of their
// text or looks. --short does little of everything and judges nothing. A further program takes part by
// NAME=listen:PORT, if it relays to port 10026 of 127.0.0.1, or by NAME=spawn:COMMAND, whose words are separated by blanks.
//
// The executable of Bun is built, which needs npm, or POSTPROX names it. The short form has it only if POSTPROX does. On Deno,
// postprox is the bundle. It needs Postfix's smtp-source and smtp-sink, and python3. Progress goes to standard error. The exit
// status is 0 whatever the figures are.

import { BuildError, inWorkshop, ROOT, runBuild, runTool } from "../build.ts";
import { makeBundle } from "../bundle.ts";
import { compileWithBun } from "../compile_bun.ts";
import { alignToHugePages } from "../page_faults.ts";
import { runBench, startSink } from "./bed.ts";
import { type CommandLine, parseCommandLine } from "./command_line.ts";
import { LEAST_ROUNDS } from "./compare.ts";
import { type Findings, type Results, rounded } from "./findings.ts";
import type { Bench, Group, Program } from "./group.ts";
import { GROUPS } from "./groups.ts";
import { readMachine } from "./machine.ts";
import { formatPage, PICTURES } from "./page.ts";
import { formatPicture } from "./picture.ts";
import { formatClaims, formatTable } from "./table.ts";

/** Where a program of NAME=… finds the mail server. */
const SINK_PORT = 10_026;

/** A program that does nothing. */
const EMPTY = "empty";

export const RESULTS = `${ROOT}scripts/bench/results.json`;
const PAGE = `${ROOT}docs/proofs/benchmarks.md`;
const FOLDER = PAGE.replace(/[^/]*$/, PICTURES);

if (import.meta.main) {
  await runBuild("bench", async () => {
    const commandLine = parseCommandLine(Deno.args, GROUPS.map(({ name }) => name));
    if (commandLine.isRewrite) return writeFiles(readResults());
    await inWorkshop(Deno.env.get("TMPDIR") ?? "/tmp", (workshop) => runBench(() => main(commandLine, workshop)));
  });
}

async function main(commandLine: CommandLine, directory: string): Promise<void> {
  // Other users' programs write here.
  Deno.chmodSync(directory, 0o755);
  const bench = await makeBench(commandLine, directory);
  for (const group of GROUPS.filter(({ name }) => commandLine.groups.includes(name))) {
    const findings = await measure(group, bench);
    print(group, commandLine.isShort ? withoutAims(findings) : findings);
    if (commandLine.makesPage) await writePage(group, findings);
  }
}

async function makeBench({ isShort, listening, spawned }: CommandLine, directory: string): Promise<Bench> {
  const hasOthers = listening.length + spawned.length > 0;
  const sink = await startSink(hasOthers ? SINK_PORT : undefined);
  const made = new Map<string, Promise<readonly string[]>>();
  const compiled = (runtime: Program["runtime"], source: string) => {
    const key = `${runtime} ${source}`;
    if (!made.has(key)) made.set(key, compile(runtime, `${ROOT}scripts/bench/${source}`, directory));
    return made.get(key)!;
  };
  return {
    isShort,
    pick: (whole, short) => isShort ? short : whole,
    directory,
    programs: await programsFor(isShort, directory),
    sink,
    others: listening.map(({ name, port }) => ({ name, port, stop: () => Promise.resolve() })),
    spawned,
    empty: (runtime) => compiled(runtime, `${EMPTY}.ts`),
    compiled,
    note,
  };
}

async function programsFor(isShort: boolean, directory: string): Promise<Program[]> {
  const deno: Program = { runtime: "Deno", words: onDeno(await makeBundle(directory)) };
  const given = Deno.env.get("POSTPROX");
  if (given) return [{ runtime: "Bun", words: [await Deno.realPath(given)] }, deno];
  if (isShort) return [deno];
  note("builds the executable with Bun");
  const build = [Deno.execPath(), "run", "--quiet", "-A", `${ROOT}scripts/compile_bun.ts`, `--outdir=${directory}`];
  const { success, stderr } = await runTool(build, { install: "deno" });
  if (!success) throw new BuildError(stderr.trim());
  return [{ runtime: "Bun", words: [`${directory}/postprox`] }, deno];
}

/** A program of this folder, built as postprox itself is. */
async function compile(runtime: Program["runtime"], source: string, directory: string): Promise<readonly string[]> {
  const name = source.replace(/^.*\/|\.ts$/g, "");
  if (runtime === "Deno") return onDeno(await makeBundle(directory, source));
  const path = `${directory}/${name}-bun`;
  await compileWithBun(source, path, { cwd: directory, flags: [] });
  // postprox is aligned, too. The empty program is as Bun makes it.
  const aligned = name === EMPTY ? undefined : alignToHugePages(await Deno.readFile(path));
  if (aligned) await Deno.writeFile(path, aligned);
  return [path];
}

function onDeno(bundle: string): readonly string[] {
  // In docs/hacking.md, DENO_V8_FLAGS sets the last one.
  const sizes = "--v8-flags=--min-semi-space-size=8,--max-semi-space-size=8";
  const flags = ["--quiet", "--allow-all", "--unstable-net", sizes];
  return [Deno.execPath(), "run", ...flags, bundle];
}

async function measure({ name, run, packages }: Group, bench: Bench): Promise<Findings> {
  bench.note(`${name} …`);
  const start = performance.now();
  const [load = 0] = Deno.loadavg();
  const parts = (await run(bench)).map(rounded);
  return {
    date: new Date().toISOString().slice(0, 10),
    seconds: Math.round((performance.now() - start) / 1000),
    load: Number(load.toFixed(1)),
    machine: readMachine(packages),
    parts,
  };
}

/** A short run judges nothing. */
function withoutAims(findings: Findings): Findings {
  const parts = findings.parts.map((part) => ({
    ...part,
    claims: part.claims.map(({ what, values, unit }) => ({ what, values, unit })),
  }));
  return { ...findings, parts };
}

function print({ title }: Group, { parts, seconds }: Findings): void {
  console.log(`\n## ${title} (${seconds} s)`);
  for (const part of parts) {
    console.log(`\n### ${part.title}\n\n${formatTable(part)}`);
    const claims = formatClaims(part.claims);
    if (claims !== "") console.log(`\n${claims}`);
  }
}

async function writePage({ name }: Group, findings: Findings): Promise<void> {
  for (const { what, values } of findings.parts.flatMap(({ claims }) => claims)) {
    if (values.length < LEAST_ROUNDS) throw new Error(`too few rounds for a claim: ${what}`);
  }
  const results: Results = { ...readResults(), [name]: findings };
  Deno.writeTextFileSync(RESULTS, JSON.stringify(results));
  // Readable, and as the gate wants it.
  await runTool([Deno.execPath(), "fmt", "--quiet", RESULTS], { install: "deno" });
  writeFiles(results);
}

/** Also removes pictures that no result has any more. */
function writeFiles(results: Results): void {
  const files = filesOf(results);
  Deno.mkdirSync(FOLDER, { recursive: true });
  for (const { name } of Deno.readDirSync(FOLDER)) {
    if (!files.some(([path]) => path === `${FOLDER}/${name}`)) Deno.removeSync(`${FOLDER}/${name}`);
  }
  for (const [path, text] of files) Deno.writeTextFileSync(path, text);
}

export function readResults(): Results {
  try {
    return JSON.parse(Deno.readTextFileSync(RESULTS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** The page and its pictures: path and text of each. */
export function filesOf(results: Results): readonly (readonly [path: string, text: string])[] {
  if (Object.keys(results).length === 0) return [];
  const parts = Object.values(results).flatMap(({ parts }) => parts);
  return [
    [PAGE, formatPage(results, GROUPS)],
    ...parts.map((part) => [`${FOLDER}/${part.id}.svg`, formatPicture(part)] as const),
  ];
}

function note(text: string): void {
  console.error(`bench: ${text}`);
}
