// Processes on Bun.
//
// Known gaps: An environment variable that we add is UTF-8 text. If the value of any variable is not UTF-8, a child
// does not inherit variables whose names a shell would not allow.

import * as fs from "node:fs";
import process from "node:process";
import { bun, type BunProcess, codeOf, ioError } from "./api.ts";
import { ChildStderr } from "./child_stderr.ts";
import { childCalls } from "./libc.ts";
import { ERR_TO_OUT, isOurs, successorWords } from "../shared/children.ts";
import type { BackgroundSelf, Child, ProcessEnd } from "../../ports/runtime.ts";

export async function start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
  const { stdin, ...how } = withEnvironment(words, environment);
  return (await launch(how, { stdin, stdout: "ignore" })).child;
}

/** Starts a program as the leader of a process group. `child` is it as the program knows it, and reads its standard error. */
export async function launch(
  how: Pick<Parameters<typeof bun.spawn>[0], "cmd" | "env">,
  { stdin, stdout }: { stdin: "ignore" | "pipe" | Uint8Array; stdout: "ignore" | "pipe" },
): Promise<{ process: BunProcess; child: Child }> {
  keepStatuses();
  // Bun's own pipe is a pair of sockets. A program cannot open that by a name such as /dev/stderr (ENXIO). It is used
  // only if there is no real pipe.
  const calls = await childCalls();
  const pipe = calls?.makePipe();
  let started: BunProcess;
  try {
    started = bun.spawn({
      ...how,
      stdio: [stdin, stdout, pipe?.writeEnd ?? "pipe"],
      // Calls setsid(2), which makes the child the leader of its own group.
      detached: true,
    });
  } catch (error) {
    if (pipe) fs.closeSync(pipe.readEnd);
    throw ioError(error, `cannot run ${how.cmd[0]}`);
  } finally {
    if (pipe) fs.closeSync(pipe.writeEnd);
  }
  const stderr = new ChildStderr(pipe ?? started.stderr, started.exited);
  const child: Child = {
    ended: endOf(started),
    readStderr: () => stderr.read(),
    closeStderr: () => stderr.close(),
    hasGroup: () => calls ? calls.hasGroup(started.pid) : isThere(-started.pid),
    signalGroup: (signal) => {
      try {
        process.kill(-started.pid, signal);
      } catch {
        // The group is already empty.
      }
    },
  };
  return { process: started, child };
}

// Bun gives variables as text. There this character stands for octets that are not UTF-8.
const LOST = "\ufffd";

interface Inherited {
  /** What a child gets. */
  readonly kept: Readonly<Record<string, string | undefined>>;
  /** The names of what is for us alone, and of the values that are not UTF-8. */
  readonly own: readonly string[];
  readonly lost: readonly string[];
}

let inherited: Inherited | undefined;

function readInherited(): Inherited {
  const all = Object.entries(process.env);
  const kept = all.filter(([name]) => !isOurs(name));
  return {
    kept: Object.fromEntries(kept),
    own: all.map(([name]) => name).filter(isOurs),
    lost: kept.filter(([, value]) => value?.includes(LOST)).map(([name]) => name),
  };
}

/** How to run `words` with the environment that we inherited, and with the variables in `added` over it. */
function withEnvironment(
  words: readonly string[],
  added: Readonly<Record<string, string>>,
): Pick<Parameters<typeof bun.spawn>[0], "cmd" | "env"> & { readonly stdin: "ignore" | Uint8Array } {
  const { kept, own, lost } = inherited ??= readInherited();
  if (lost.every((name) => name in added)) return { cmd: words, env: { ...kept, ...added }, stdin: "ignore" };
  // A child without an environment of its own gets ours octet for octet. Then a shell sets the differences. It reads
  // them from its standard input, because everybody could read them on a command line.
  const removed = own.map((name) => `unset ${name}\n`);
  const exported = Object.entries(added).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`);
  const script = [...removed, ...exported, 'exec "$@" </dev/null\n'].join("");
  return { cmd: ["/bin/sh", "-s", "--", ...words], stdin: new TextEncoder().encode(script) };
}

function isThere(pid: number): boolean {
  try {
    // Signal 0 only asks (kill(2)).
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // We may not signal a process of another user, but it is there.
    return codeOf(error) === "EPERM";
  }
}

let keepsStatuses = false;

// The program that started us may ignore SIGCHLD. We inherit that, and then the kernel keeps no exit status (wait(2)).
export function keepStatuses(): void {
  if (!keepsStatuses) process.on("SIGCHLD", () => {});
  keepsStatuses = true;
}

export async function startSelf(args: readonly string[], stderr: "stdout" | "inherit"): Promise<BackgroundSelf> {
  let child: BunProcess;
  try {
    child = bun.spawn({
      // Without an environment of its own, it inherits ours octet for octet.
      cmd: [
        ...successorWords(process.env["WATCHDOG_PID"]),
        ...stderr === "stdout" ? ERR_TO_OUT : [],
        ...selfWords(),
        ...args,
      ],
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
  } catch (error) {
    throw ioError(error, `cannot run ${process.execPath}`);
  }
  return { pid: child.pid, ended: endOf(child), stdout: child.stdout, release: () => child.unref() };
}

export function selfWords(): readonly string[] {
  // The source in an executable has a path that no file system has.
  return bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, bun.main];
}

export async function endOf(child: BunProcess): Promise<ProcessEnd> {
  const exit = await child.exited;
  return child.signalCode === null ? { exit } : { signal: child.signalCode };
}
