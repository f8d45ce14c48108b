// Makes the single-file executable with `deno compile`: dist/postprox for this machine, dist/postprox-deno-TARGET for
// each target named.
//
//     deno task compile [--outdir=DIR] [TARGET...]
//
// It needs Deno's base binary, denort. Deno downloads the one of its version on first use, or DENORT_BIN names a local
// one. Without it the script fails with one line that says how to get it, and leaves nothing behind. An executable for
// this machine is started once before it gets its name. For other machines, the script looks only at the header.

import { VERSION_TEXT } from "../lib/commands/version.ts";
import { BuildError, inWorkshop, machineOf, readArguments, reasonOfDeno, ROOT, runBuild, runTool } from "./build.ts";
import { makeBundle } from "./bundle.ts";

const TRIPLES: Readonly<Record<string, string>> = {
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
};

/**
 * The program may do everything. Deno allows /dev and /proc only to programs with all permissions. Syslog's socket and
 * the client's address on standard input need these. For a program that starts commands, permissions would be a weak
 * fence. The real fence is its user and its systemd unit.
 */
export const PERMISSIONS = ["--allow-all"];

const FLAGS = [
  // For datagrams to syslog.
  "--unstable-net",
  ...PERMISSIONS,
  // The cache would be in /tmp under a known name. Anybody who makes that file first could change what the program
  // does.
  "--no-code-cache",
  "--no-lock",
  "--no-remote",
];

if (import.meta.main) await runBuild("compile", main);

async function main(): Promise<void> {
  const { options, targets } = readArguments(Deno.args, { options: ["outdir"], targets: Object.keys(TRIPLES) });
  const outdir = options.get("outdir") ?? `${ROOT}dist`;
  // Deno takes an empty value for a path.
  if (Deno.env.get("DENORT_BIN") === "") Deno.env.delete("DENORT_BIN");
  const base = Deno.env.get("DENORT_BIN");
  if (base !== undefined) checkBase(base, targets);
  for (const target of targets.length > 0 ? targets : [undefined]) {
    const path = await inWorkshop(outdir, (workshop) => compile(target, base, { workshop, outdir }));
    console.log(`${path}: ${(Deno.statSync(path).size / 1e6).toFixed(0)} MB, Deno ${Deno.version.deno}`);
  }
}

function checkBase(base: string, targets: readonly string[]): void {
  if (targets.length > 1) {
    throw new BuildError("DENORT_BIN names one base binary, and that is for one target only: name one target");
  }
  const wanted = targets[0] ?? hostTarget();
  let found: string | undefined;
  try {
    found = machineOf(base);
  } catch (error) {
    throw new BuildError(`DENORT_BIN=${base}: ${(error as Error).message}: ${howToGet(wanted)}`);
  }
  if (`linux-${found}` === wanted) return;
  throw new BuildError(`DENORT_BIN=${base} is no executable for ${wanted}: ${howToGet(wanted)}`);
}

async function compile(
  target: string | undefined,
  base: string | undefined,
  { workshop, outdir }: { workshop: string; outdir: string },
): Promise<string> {
  const wanted = target ?? hostTarget();
  const built = `${workshop}/postprox`;
  // One file starts faster than the source.
  const bundle = await makeBundle(workshop);
  const words = ["compile", "--quiet", "--target", TRIPLES[wanted]!, ...FLAGS, "--output", built, bundle];
  // DENORT_BIN may be a relative path, so the working directory stays as it is.
  const { success, stderr } = await runTool([Deno.execPath(), ...words], {
    install: "Deno",
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  });
  if (!success) throw new BuildError(whyNot(stderr, base, wanted));
  if (wanted === hostTarget()) await tryOut(built, base);
  const path = `${outdir}/postprox${target === undefined ? "" : `-deno-${target}`}`;
  Deno.renameSync(built, path);
  return path;
}

// If the base binary has another version, or is no base binary, only a start shows it.
async function tryOut(built: string, base: string | undefined): Promise<void> {
  const { success, stdout, stderr } = await runTool([built, "--version"], { install: "a base binary that runs here" });
  if (success && stdout === VERSION_TEXT) return;
  const said = `${stderr}\n${stdout}`.split("\n").map((line) => line.trim()).find((line) => line !== "");
  const from = base === undefined ? "the base binary that Deno downloaded" : `DENORT_BIN=${base}`;
  throw new BuildError(
    `the executable made of ${from} does not run postprox (it said: ${said ?? "nothing"}): ${howToGet(hostTarget())}`,
  );
}

function whyNot(stderr: string, base: string | undefined, wanted: string): string {
  const reason = reasonOfDeno(stderr);
  if (base !== undefined || !stderr.includes("Setting up base binary")) return `deno compile failed: ${reason}`;
  return `Deno cannot download the base binary (${reason}): ${howToGet(wanted)}`;
}

function howToGet(target: string): string {
  return `unpack denort-${
    TRIPLES[target]
  }.zip of the Deno ${Deno.version.deno} release and set DENORT_BIN=/path/to/denort` +
    `, or use deno task compile:bun`;
}

function hostTarget(): string {
  const target = `linux-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
  if (Deno.build.os !== "linux") throw new BuildError(`name a target: ${Object.keys(TRIPLES).join(", ")}`);
  return target;
}
