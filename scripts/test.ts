// Runs the tests: `deno task test [--install] [--fail-fast] [--trace-leaks] [--jobs=N] [--limit=SECONDS] [FILE or FOLDER
// ...]`.
//
// Without --install it changes nothing on this machine and runs as any user. It leaves out the tests that this machine
// has no means for (tests/needs.ts), and names them before and after. With --install it first installs the means
// (Debian or Ubuntu, root) and leaves nothing out. Then a suite that does not run is a failure.
//
// One more file runs at a time than there are processors, and beside them one that mostly waits. With --jobs=N it is N
// files in all. Files that change something that a machine has only once run one at a time. The last line is the sum.
// The exit status is 0 if nothing failed, 1 if something did, 64 for wrong use, and 130 after an interrupt. Even then it
// leaves no process of its own behind.

import { existsSync } from "node:fs";
import { isHere, isIn, MEANS, type Means, type MeansName, missing, type Suite, SUITES } from "../tests/needs.ts";
import { ROOT } from "./build.ts";
import { installPackages } from "./debian.ts";
import { type Outcome, TestFile } from "./test_file.ts";
import { type Place, TestQueue } from "./test_queue.ts";

const USAGE =
  "usage: deno task test [--install] [--fail-fast] [--trace-leaks] [--jobs=N] [--limit=SECONDS] [FILE or FOLDER ...]";

const TESTS = `${ROOT}tests/`;

/** These are below the ports of outgoing connections (tests/rig/ports.ts). */
const PORTS = { first: 20_000, count: 12_000 };

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

interface Options {
  readonly install: boolean;
  /** After a failure no other file begins. */
  readonly failFast: boolean;
  /** A leak is told with the line that made it. */
  readonly traceLeaks: boolean;
  /** A file runs at each of these. */
  readonly places: readonly Place[];
  /** Seconds after which a file is killed. */
  readonly limit: number;
  /** Absolute paths of files and folders. */
  readonly paths: readonly string[];
}

/** A suite that this machine has no means for. */
interface LeftOut {
  readonly suite: Suite;
  readonly wants: readonly MeansName[];
  readonly files: readonly string[];
}

const options = readOptions(Deno.args);
// tests/needs.ts reads this, here and in the tests.
Deno.env.set("POSTPROX_TEST_INSTALL", options.install ? "yes" : "no");
for (const { where } of SUITES) if (!existsSync(TESTS + where)) die(`tests/needs.ts: there is no ${where}`);
const files = [...new Set(options.paths.flatMap(testFiles))];
if (files.length === 0) die(`there is no test file (*_test.ts) in ${options.paths.join(", ")}`);

if (options.install) await install();
const leftOut = suitesLeftOut();
const running = new Map<TestFile, string>();
const outcomes: Outcome[] = [];
let isInterrupted = false;
const start = performance.now();

const whole = new Set(leftOut.filter(({ suite }) => !suite.part).flatMap(({ files }) => files));
await runAll(files.filter((file) => !whole.has(file)));
sayStatus("");
report();

// --- Which files to run

function readOptions(args: readonly string[]): Options {
  let install = false;
  let failFast = false;
  let traceLeaks = false;
  // One more than there are processors: all files wait now and then. And one for those that mostly wait.
  let places: Place[] = [...anyPlaces(navigator.hardwareConcurrency + 1), "waiting"];
  let limit = 600;
  const paths: string[] = [];
  for (const arg of args) {
    const [, name, digits] = /^--(jobs|limit)=([1-9]\d*)$/.exec(arg) ?? [];
    if (arg === "--install") install = true;
    else if (arg === "--fail-fast") failFast = true;
    else if (arg === "--trace-leaks") traceLeaks = true;
    else if (name === "jobs") places = anyPlaces(Number(digits));
    else if (name === "limit") limit = Number(digits);
    else if (arg.startsWith("-")) die(`unknown option ${arg}\n${USAGE}`);
    // `deno task` changes to the repository. INIT_CWD says where it came from.
    else paths.push(arg.startsWith("/") ? arg : `${Deno.env.get("INIT_CWD") ?? Deno.cwd()}/${arg}`);
  }
  return { install, failFast, traceLeaks, places, limit, paths: paths.length > 0 ? paths : [TESTS] };
}

function anyPlaces(count: number): Place[] {
  return Array.from({ length: count }, () => "any");
}

function testFiles(path: string): string[] {
  if (!existsSync(path)) die(`there is no ${path}`);
  const real = Deno.realPathSync(path);
  if (Deno.statSync(real).isFile) return [real];
  return [...Deno.readDirSync(real)].toSorted((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isDirectory }) =>
    isDirectory ? testFiles(`${real}/${name}`) : name.endsWith("_test.ts") ? [`${real}/${name}`] : []
  );
}

/** The name below tests/, in the form of tests/needs.ts. */
function nameOf(file: string): string {
  return file.startsWith(TESTS) ? file.slice(TESTS.length) : file;
}

function shown(file: string): string {
  return file.startsWith(ROOT) ? file.slice(ROOT.length) : file;
}

function suitesLeftOut(): LeftOut[] {
  const all = SUITES.map((suite) => ({
    suite,
    wants: missing(suite),
    files: files.filter((file) => isIn(suite.where, nameOf(file))),
  })).filter(({ files, wants }) => files.length > 0 && wants.length > 0);
  // If a file is left out as a whole, its parts get no line.
  return all.filter(({ suite, files }) =>
    !suite.part || all.every((other) => other.suite.part || !other.files.includes(files[0]!))
  );
}

async function install(): Promise<void> {
  const wanted = SUITES.filter(({ where }) => files.some((file) => isIn(where, nameOf(file))));
  const names = [...new Set(wanted.flatMap(({ needs }) => needs))].filter((name) => !isHere(name));
  const packages = names.map((name) => (MEANS[name] as Means).debian).filter((name) => name !== undefined);
  try {
    await installPackages(packages);
  } catch (error) {
    console.error(`test: ${(error as Error).message}`);
    Deno.exit(1);
  }
}

// --- The run

async function runAll(files: readonly string[]): Promise<void> {
  console.log(`${counted(files.length, "test file")}, ${options.places.length} at a time`);
  sayLeftOut();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupt);
  const { places } = options;
  const byName = new Map(files.map((file) => [nameOf(file), file]));
  const queue = new TestQueue([...byName.keys()], places);
  const run = async (place: Place, number: number) => {
    const width = Math.floor(PORTS.count / places.length);
    const first = PORTS.first + number * width;
    while (!isInterrupted && !(options.failFast && outcomes.some(({ complaint }) => complaint))) {
      const name = queue.take(place);
      if (name === undefined) return;
      await runFile(byName.get(name)!, `${first}-${first + width - 1}`);
      queue.release(name);
    }
  };
  const ticking = setInterval(() => sayStatus(status()), 1000);
  await Promise.all(places.map(run));
  clearInterval(ticking);
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupt);
}

async function runFile(file: string, ports: string): Promise<void> {
  const test = new TestFile(file);
  running.set(test, file);
  const outcome = judge(await test.run({ limit: options.limit, ports, traceLeaks: options.traceLeaks }));
  running.delete(test);
  if (isInterrupted) return;
  outcomes.push(outcome);
  sayOutcome(outcome);
}

/** A test may be ignored only if tests/needs.ts says so. */
function judge(outcome: Outcome): Outcome {
  const parts = leftOut.filter(({ suite, files }) => suite.part && files.includes(outcome.file));
  const { ignored } = outcome;
  if (outcome.complaint || ignored.length > 0 === parts.length > 0) return outcome;
  const complaint = ignored.length > 0
    ? `ignored, and tests/needs.ts does not tell why: ${ignored.join("; ")}`
    : `tests/needs.ts leaves out ${parts.map(({ suite }) => suite.part).join(", ")}, and nothing was ignored`;
  return { ...outcome, complaint, failed: 1 };
}

function interrupt(): void {
  isInterrupted = true;
  for (const test of running.keys()) test.kill();
}

// --- The output

function report(): never {
  if (isInterrupted) {
    console.log(`interrupted after ${counted(outcomes.length, "file")}`);
    Deno.exit(130);
  }
  sayLeftOut();
  const bad = outcomes.filter(({ complaint }) => complaint);
  for (const { file, complaint } of bad) console.log(`FAILED ${shown(file)}: ${complaint}`);
  const unmet = options.install
    ? leftOut.filter(({ wants }) => wants.some((name) => !(MEANS[name] as Means).rare))
    : [];
  for (const { suite } of unmet) console.log(`FAILED ${suite.where}: left out in spite of --install`);
  const sum = (count: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + count(outcome), 0);
  const failed = sum(({ failed }) => failed) + unmet.length;
  const steps = counted(sum(({ steps }) => steps), "step");
  console.log(
    `${sum(({ passed }) => passed)} passed (${steps}), ${failed} failed, ` +
      `${counted(leftOut.length, "suite")} left out; ${counted(outcomes.length, "file")}, ${elapsed()} s`,
  );
  Deno.exit(failed > 0 ? 1 : 0);
}

function sayLeftOut(): void {
  for (const { suite, wants, files } of leftOut) {
    const where = `tests/${suite.where}${files.length > 1 ? ` (${files.length} files)` : ""}`;
    console.log(
      `left out: ${where}${suite.part ? `, ${suite.part}` : ""}; it needs ${wants.map(explained).join(", ")}`,
    );
  }
  if (leftOut.length === 0 || options.install) return;
  console.log(`to run it all (Debian or Ubuntu, root): npx -y deno@${Deno.version.deno} task test --install`);
}

function explained(name: MeansName): string {
  const { debian, hint }: Means = MEANS[name];
  const more = hint ?? (debian && debian !== name ? `package ${debian}` : undefined);
  return more ? `${name} (${more})` : name;
}

function sayOutcome({ file, passed, seconds, complaint, output }: Outcome): void {
  const count = String(outcomes.length).padStart(String(files.length).length);
  const head = `[${count}/${files.length - whole.size}, ${elapsed()} s]`;
  if (complaint) {
    sayStatus("");
    console.log(`${head} FAILED ${shown(file)}: ${complaint}\n${output}\n`);
  } else if (Deno.stdout.isTerminal()) sayStatus(status());
  else console.log(`${head} ${shown(file)}: ${passed} passed in ${seconds.toFixed(1)} s`);
}

function status(): string {
  const names = [...running.values()].map(shown).join(", ");
  return `${outcomes.length} of ${files.length - whole.size} files, ${elapsed()} s; running ${names}`;
}

/** Writes the last line of a terminal, over the one before. */
function sayStatus(text: string): void {
  if (!Deno.stdout.isTerminal()) return;
  const { columns } = Deno.consoleSize();
  Deno.stdout.writeSync(new TextEncoder().encode(`\r\x1b[K${text.slice(0, columns - 1)}`));
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function elapsed(): number {
  return Math.round((performance.now() - start) / 1000);
}

function die(text: string): never {
  console.error(`test: ${text}`);
  Deno.exit(64);
}
