// Makes the single-file executable with Bun: dist/postprox for this machine, dist/postprox-TARGET for each target
// named.
//
//     deno task compile:bun [--outdir=DIR] [--huge-pages] [TARGET...]
//
// It needs npm, whose npx runs the pinned Bun. For another target, Bun fetches its runtime as an npm package. If these
// cannot be had, the script fails with one line and leaves nothing behind. Two runs on one source give the same octets.
//
// The executable must behave the same on every mail host. So it loads no .env and no bunfig.toml. The script also
// changes the names of the environment variables that Bun's runtime asks for: BUN_BE_BUN=1 would make it Bun's own
// command line, and BUN_OPTIONS could load code. Known gap: Bun finds BUN_JSC_*, the switches of the JavaScript engine,
// in another way.
//
// With --huge-pages the executable's own memory consists of huge pages (page_faults.ts). docs/hacking.md says when that
// pays.

import { Buffer } from "node:buffer";
import { cpSync } from "node:fs";
import { BuildError, glibcOf, inWorkshop, readArguments, ROOT, runBuild, runTool } from "./build.ts";
import { alignToHugePages, allowHugePages } from "./page_faults.ts";

export const BUN_VERSION = "1.4.5";

/** The oldest glibc 2.x that the executable must run with. The README says it, too. */
export const OLDEST_GLIBC = 17;

const TARGETS = ["linux-x64", "linux-x64-baseline", "linux-x64-musl", "linux-arm64"];

const FLAGS = [
  "--compile",
  "--minify",
  // Without bytecode each start parses the source and takes twice as long.
  "--bytecode",
  // Code that a run does not use stays in files of its own, which the run does not load. Only ES modules can be split.
  "--format=esm",
  "--splitting",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  // A process that carries one message ends before machine code pays off. Listen mode takes this setting back.
  "--compile-jit-policy=100",
];

if (import.meta.main) await runBuild("compile:bun", main);

async function main(): Promise<void> {
  const { options, flags, targets } = readArguments(Deno.args, {
    options: ["outdir"],
    flags: ["huge-pages"],
    targets: TARGETS,
  });
  const hugePages = flags.has("huge-pages");
  const outdir = options.get("outdir") ?? `${ROOT}dist`;
  // Settings here for Bun or for npm's own node must not get into the executable. NODE_EXTRA_CA_CERTS stays: in a
  // network with its own certificate authority npm needs it to reach a registry.
  for (const name of Object.keys(Deno.env.toObject())) {
    if (/^(BUN|NODE)_(?!EXTRA_CA_CERTS$)/.test(name)) Deno.env.delete(name);
  }
  for (const target of targets.length > 0 ? targets : [undefined]) {
    const path = await inWorkshop(outdir, (workshop) => compile(target, { workshop, outdir, hugePages }));
    console.log(`${path}: ${(Deno.statSync(path).size / 1e6).toFixed(0)} MB, Bun ${BUN_VERSION}`);
  }
}

async function compile(
  target: string | undefined,
  { workshop, outdir, hugePages }: { workshop: string; outdir: string; hugePages: boolean },
): Promise<string> {
  // The executable contains the name of this file, so the name must always be the same.
  const built = `${workshop}/postprox`;
  const cross = target === undefined ? [] : [`--target=bun-${target}`];
  // It also contains names made of the path from the workshop to the source. So that path must be the same, too.
  for (const part of ["lib", "main_bun.ts"]) {
    cpSync(`${ROOT}${part}`, `${workshop}/source/${part}`, { recursive: true });
  }
  await compileWithBun(`${workshop}/source/main_bun.ts`, built, { cwd: workshop, flags: cross });
  spoilNames(built);
  checkGlibc(built);
  editForPages(built, hugePages);
  const path = `${outdir}/postprox${target === undefined ? "" : `-${target}`}`;
  Deno.renameSync(built, path);
  return path;
}

/** Makes an executable of `source`. It does not change any names in it. Bun may put files into `cwd`. */
export async function compileWithBun(
  source: string,
  outfile: string,
  { cwd, flags }: { cwd: string; flags: readonly string[] },
): Promise<void> {
  const words = ["npx", "-y", `bun@${BUN_VERSION}`, "build", ...FLAGS, ...flags, source, `--outfile=${outfile}`];
  const { success, stdout, stderr } = await runTool(words, { install: "npm", cwd });
  if (success && exists(outfile)) return;
  const lines = `${stdout}\n${stderr}`.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  // npm's first error lines are codes, and its last one says where to read more.
  const reason = lines.find((line) => /\berror\b(?! code| syscall| errno| A complete log)/i.test(line)) ?? lines.at(-1);
  throw new BuildError(`Bun ${BUN_VERSION} from npm cannot build it: ${reason ?? "it gave no reason"}`);
}

/** Throws a `BuildError` for an executable that needs a newer glibc than the README says. */
export function checkGlibc(path: string): void {
  const needed = glibcOf(path);
  if (needed === undefined || needed <= OLDEST_GLIBC) return;
  throw new BuildError(`it would need glibc 2.${needed}, and the README promises 2.${OLDEST_GLIBC}: take another Bun`);
}

// The runtime asks getenv(3) for names that it holds as C strings. No variable has a name that starts with "=".
function spoilNames(path: string): void {
  using file = Deno.openSync(path, { write: true });
  const spoilt = new Set<string>();
  const text = Buffer.from(Deno.readFileSync(path)).toString("latin1");
  for (const { index, 1: name } of text.matchAll(/\0((?:BUN|NODE)_[A-Z0-9_]+)(?=\0)/g)) {
    file.seekSync(index + 1, Deno.SeekMode.Start);
    file.writeSync(new TextEncoder().encode("="));
    spoilt.add(name!);
  }
  // Another version of Bun may hold them in another way.
  for (const name of ["BUN_BE_BUN", "BUN_OPTIONS", "BUN_INSPECT", "NODE_CHANNEL_FD"]) {
    if (!spoilt.has(name)) throw new BuildError(`${name} in the environment would change what it does`);
  }
}

// Another version of Bun, and another target, may look otherwise. Then the executable starts more slowly, and works. But
// whoever asks for huge pages has a reason to.
function editForPages(path: string, hugePages: boolean): void {
  const octets = Deno.readFileSync(path);
  if (hugePages && !allowHugePages(octets)) {
    throw new BuildError("mimalloc's option allow_thp is not found in this Bun: build without --huge-pages");
  }
  const aligned = alignToHugePages(octets);
  if (!aligned) console.error("compile:bun: the parts of the executable are not as expected: they stay where they are");
  if (aligned || hugePages) Deno.writeFileSync(path, aligned ?? octets);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
