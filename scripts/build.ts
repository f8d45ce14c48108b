// Shared by the scripts that build something: their command line, their error line, and a place to work in.
//
// A script makes its result in a workshop, a directory inside the output directory. It renames the result out of there
// when it is whole. So nobody sees anything half-made under a final name, and a failure leaves nothing behind.

/** The repository, with a slash at the end. */
export const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** An error in one line: what cannot be done, and what would help. */
export class BuildError extends Error {}

/** Runs `build`. A `BuildError` becomes one line on standard error and status 1. */
export async function runBuild(task: string, build: () => Promise<void>): Promise<void> {
  try {
    await build();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(`${task}: ${error.message}`);
    Deno.exit(1);
  }
}

/** Splits `[--NAME=VALUE...] [--FLAG...] [TARGET...]`. Throws a `BuildError` for an unknown name, flag or target. */
export function readArguments(
  args: readonly string[],
  known: { options: readonly string[]; flags?: readonly string[]; targets: readonly string[] },
): { options: ReadonlyMap<string, string>; flags: ReadonlySet<string>; targets: readonly string[] } {
  const { flags: knownFlags = [] } = known;
  const options = new Map<string, string>();
  const flags = new Set<string>();
  const targets: string[] = [];
  for (const arg of args) {
    const [, name, value] = /^--([a-z-]+)=(.+)$/s.exec(arg) ?? [];
    if (name !== undefined && known.options.includes(name)) options.set(name, value!);
    else if (knownFlags.includes(arg.slice(2)) && arg.startsWith("--")) flags.add(arg.slice(2));
    else if (arg.startsWith("-")) {
      const there = [...known.options.map((option) => `--${option}=...`), ...knownFlags.map((flag) => `--${flag}`)]
        .join(", ");
      throw new BuildError(`unknown option ${arg}: there are ${there}`);
    } else if (known.targets.includes(arg)) targets.push(arg);
    else if (known.targets.length === 0) throw new BuildError(`unknown argument ${arg}: it takes options only`);
    else throw new BuildError(`unknown target ${arg}: there are ${known.targets.join(", ")}`);
  }
  return { options, flags, targets };
}

/**
 * Runs `work` in a workshop inside `outdir`, and makes `outdir` if needed. Afterwards it removes the workshop. Only a
 * SIGKILL leaves it behind.
 */
export async function inWorkshop<T>(outdir: string, work: (workshop: string) => Promise<T>): Promise<T> {
  const workshop = makeWorkshop(outdir);
  const interrupted = () => {
    Deno.removeSync(workshop, { recursive: true });
    Deno.exit(1);
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupted);
  try {
    return await work(workshop);
  } catch (error) {
    // For example, a full disk.
    if (error instanceof BuildError || !(error instanceof Error) || !("code" in error)) throw error;
    throw new BuildError(`cannot build in ${outdir}: ${error.message}`);
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupted);
    Deno.removeSync(workshop, { recursive: true });
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

function makeWorkshop(outdir: string): string {
  try {
    Deno.mkdirSync(outdir, { recursive: true });
    return Deno.realPathSync(Deno.makeTempDirSync({ dir: outdir, prefix: ".build_" }));
  } catch (error) {
    const why = (error as Error).message;
    throw new BuildError(`cannot write in ${outdir}: ${why}: name another directory with --outdir=DIR`);
  }
}

/**
 * Runs a command to its end. Returns its output, and whether it succeeded. Throws a `BuildError` if the command is
 * missing.
 */
export async function runTool(
  words: readonly string[],
  { install, ...options }: { install: string; cwd?: string; env?: Record<string, string> },
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const [tool = "", ...args] = words;
  try {
    const { success, stdout, stderr } = await new Deno.Command(tool, { args, ...options, stdin: "null" }).output();
    const text = new TextDecoder();
    return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new BuildError(`${tool} was not found: install ${install}`);
  }
}

/** Why a command of Deno failed, by what it wrote to standard error: its error, or the cause that it gives for that. */
export function reasonOfDeno(stderr: string): string {
  const [error = "", causes = ""] = stderr.trim().split(/\n\s*\n/);
  const last = (causes.startsWith("Caused by:") ? causes : error).split("\n").at(-1)!;
  return last.trim().replace(/^(?:\d+:|error:)\s*|(?: for url)? \(?https?:\/\/[^\s)]+\)?/g, "") || "it gave no reason";
}

const MACHINES: Readonly<Record<number, "x64" | "arm64">> = { 0x3e: "x64", 0xb7: "arm64" };

/** The machine that an executable is for, by its ELF header; undefined if it is no Linux executable that we know. */
export function machineOf(path: string): "x64" | "arm64" | undefined {
  const header = elfHeader(path);
  return header && MACHINES[header.getUint16(18, true)];
}

/** Whether an executable has a section table, and so maybe symbols, which strip(1) could remove. */
export function hasSections(path: string): boolean {
  return elfHeader(path)?.getUint16(60, true) !== 0;
}

// Little-endian on all machines that we know (elf(5)).
function elfHeader(path: string): DataView | undefined {
  using file = Deno.openSync(path);
  const header = new Uint8Array(64);
  if (file.readSync(header) !== header.length) return undefined;
  return String.fromCharCode(...header.subarray(0, 4)) === "\x7fELF" ? new DataView(header.buffer) : undefined;
}

/**
 * The oldest glibc that an executable runs with, as the number after "2.". Its symbols ask for versions, and this is
 * the newest of those. Undefined for an executable without glibc.
 */
export function glibcOf(path: string): number | undefined {
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  const versions = [...text.matchAll(/\0GLIBC_2\.([0-9]+)(?=[.\0])/g)].map(([, minor]) => Number(minor));
  return versions.length === 0 ? undefined : Math.max(...versions);
}
