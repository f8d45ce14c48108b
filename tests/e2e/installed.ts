// postprox as an administrator installs it: a place that everybody may read, its own user, a spool directory.
//
// Often only root can reach the checkout and its deno. So the program of programWords() is linked or copied into DIR.
// DIR/postprox is a wrapper that starts it, for master.cf and for a command line. startListening() and stop() start and
// end listen mode as a boot script would: the command returns when the port is open, and the process that holds the
// port is the one to end. A mark in the environment identifies every process that came from the wrapper. So a test can
// see what was left behind.

import { fromFileUrl } from "./paths.ts";
import { filesBelow, groupOfUser, makeDirectory, MARK, type Postfix, readOctets, USER, userId } from "./postfix.ts";
import { programWords } from "./program.ts";
import { until, within } from "../rig/wait.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

export interface Installed {
  /** The wrapper's path: the word for `postprox`. */
  program: string;
  /** The path of the filter command. */
  filter: string;
  /** For -d. */
  spool: string;
  /** For --log: a directory that the user may write. */
  logs: string;
  /** Where the filter keeps what it saw. */
  seen: string;
}

/** Installs program, wrapper and filter into the instance's directory. */
export async function install({ dir }: Postfix): Promise<Installed> {
  const owner = { uid: userId(USER), gid: groupOfUser(USER) };
  for (const name of ["cache", "spool", "logs", "seen"]) makeDirectory(`${dir}/${name}`, { ...owner, mode: 0o700 });

  const words = Deno.env.get("POSTPROX") ? copyExecutable(dir) : copySource(dir);
  const program = `${dir}/postprox`;
  Deno.writeTextFileSync(
    program,
    `#!/bin/sh
HOME=${dir}/cache DENO_DIR=${dir}/cache DENO_NO_UPDATE_CHECK=1 ${MARK}=${dir}
export HOME DENO_DIR DENO_NO_UPDATE_CHECK ${MARK}
exec ${words.join(" ")} "$@"
`,
  );
  Deno.chmodSync(program, 0o755);
  Deno.copyFileSync(`${ROOT}tests/e2e/filter.sh`, `${dir}/filter`);
  Deno.chmodSync(`${dir}/filter`, 0o755);

  const installed = {
    program,
    filter: `${dir}/filter`,
    spool: `${dir}/spool`,
    logs: `${dir}/logs`,
    seen: `${dir}/seen`,
  };
  // Compiled once, here, and not by forty sessions at the same time.
  await runAsUser(installed, ["--version"]);
  return installed;
}

/** Starts listen mode, which goes to the background, and gives the pid of the process that holds the port. */
export async function startListening(installed: Installed, words: readonly string[], port: number) {
  await runAsUser(installed, [...words, "-l", String(port)]);
  const pid = holderOf(port);
  if (pid === undefined) throw new Error(`postprox -l ${port} returned, but nobody listens on the port`);
  return pid;
}

/** Ends a postprox and its sessions at once, and waits for the process to be gone. */
export async function stop(pid: number): Promise<void> {
  await end(pid, "SIGQUIT");
}

/** The same, but its sessions have 2 seconds to end by themselves. */
export async function drain(pid: number): Promise<void> {
  const late = setTimeout(() => isAlive(pid) && Deno.kill(pid, "SIGTERM"), 2000);
  await end(pid, "SIGTERM").finally(() => clearTimeout(late));
}

async function end(pid: number, signal: Deno.Signal): Promise<void> {
  Deno.kill(pid, signal);
  try {
    await until(() => !isAlive(pid), `the end of postprox, process ${pid}, after ${signal}`, 12_000);
  } catch (error) {
    Deno.kill(pid, "SIGKILL");
    throw error;
  }
}

/** The processes that came out of the wrapper, filters and their children included, each with its command line. */
export function processesOf({ dir }: Postfix): Map<number, string> {
  const found = new Map<number, string>();
  for (const pid of processes()) {
    const environment = readProcess(pid, "environ");
    if (!environment.split("\0").includes(`${MARK}=${dir}`)) continue;
    found.set(pid, readProcess(pid, "cmdline").replaceAll("\0", " "));
  }
  return found;
}

export function isAlive(pid: number): boolean {
  const state = readProcess(pid, "stat").match(/\) (\S)/)?.[1];
  return state !== undefined && state !== "Z";
}

async function runAsUser({ program, spool }: Installed, args: readonly string[]): Promise<void> {
  const command = new Deno.Command(program, {
    args: [...args],
    cwd: spool,
    uid: userId(USER),
    gid: groupOfUser(USER),
    stdin: "null",
  });
  const output = await within(command.output(), `the end of postprox ${args.join(" ")}`, 30_000);
  if (output.success) return;
  const said = new TextDecoder().decode(output.stderr);
  throw new Error(`postprox ${args.join(" ")} failed with status ${output.code}: ${said}`);
}

function copyExecutable(dir: string): string[] {
  const words = programWords();
  linkOrCopy(words[0] ?? "", `${dir}/postprox-executable`);
  return [`${dir}/postprox-executable`, ...words.slice(1)];
}

function copySource(dir: string): string[] {
  linkOrCopy(Deno.execPath(), `${dir}/deno`);
  for (const file of [`${ROOT}main.ts`, `${ROOT}deno.json`, ...filesBelow(`${ROOT}lib`)]) {
    const copy = `${dir}/source/${file.slice(ROOT.length)}`;
    Deno.mkdirSync(copy.slice(0, copy.lastIndexOf("/")), { recursive: true });
    Deno.copyFileSync(file, copy);
    Deno.chmodSync(copy, 0o644);
  }
  const main = `${ROOT}main.ts`;
  return programWords().map((word) => word === Deno.execPath() ? `${dir}/deno` : word)
    .map((word) => word === main ? `${dir}/source/main.ts` : word);
}

/** A link is enough where the file may be read by all; else, and across file systems, it takes a copy. */
function linkOrCopy(from: string, to: string): void {
  const real = Deno.realPathSync(from);
  if (((Deno.statSync(real).mode ?? 0) & 0o5) === 0o5) {
    try {
      return Deno.linkSync(real, to);
    } catch {
      // Another file system.
    }
  }
  Deno.copyFileSync(real, to);
  Deno.chmodSync(to, 0o755);
}

function holderOf(port: number): number | undefined {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const LISTEN = "0A";
  const inode = Deno.readTextFileSync("/proc/net/tcp").split("\n").map((line) => line.trim().split(/\s+/))
    .find((fields) => fields[1] === address && fields[3] === LISTEN)?.[9];
  if (inode === undefined) return undefined;
  return processes().find((pid) => descriptors(pid).includes(`socket:[${inode}]`));
}

function processes(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 0);
}

function descriptors(pid: number): string[] {
  const read = <T>(what: () => T) => {
    try {
      return what();
    } catch {
      return undefined; // Gone meanwhile.
    }
  };
  const names = read(() => [...Deno.readDirSync(`/proc/${pid}/fd`)]) ?? [];
  return names.flatMap(({ name }) => read(() => Deno.readLinkSync(`/proc/${pid}/fd/${name}`)) ?? []);
}

function readProcess(pid: number, file: string): string {
  try {
    return readOctets(`/proc/${pid}/${file}`);
  } catch {
    return ""; // Gone meanwhile.
  }
}
