// Processes on Bun.
//
// Known gaps: an environment variable that is added is UTF-8 text; so is one that is inherited, where its name is none that
// a shell could give.

import * as fs from "node:fs";
import process from "node:process";
import { bun, type BunProcess, codeOf, giveBack, ioError } from "./api.ts";
import { makePipe } from "./libc.ts";
import { ERR_TO_OUT, isOurs } from "../shared/children.ts";
import type { BackgroundSelf, Child, ProcessEnd } from "../../ports/runtime.ts";

export async function start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
  keepStatuses();
  // What Bun calls a pipe is a pair of sockets, which a program cannot open by a name such as /dev/stderr (ENXIO). It has to
  // do where there is nothing else.
  const pipe = await makePipe();
  let child: BunProcess;
  let stderr: ReadableStreamDefaultReader<Uint8Array>;
  try {
    child = bun.spawn({
      ...withEnvironment(words, environment),
      stdio: ["ignore", "ignore", pipe?.writeEnd ?? "pipe"],
      // setsid(2), so the leader of a group of its own.
      detached: true,
    });
    // The stream makes a copy of the descriptor, and closes that itself.
    stderr = (pipe ? bun.file(pipe.readEnd).stream() : child.stderr).getReader();
  } catch (error) {
    throw ioError(error, `cannot run ${words[0]}`);
  } finally {
    if (pipe) {
      fs.closeSync(pipe.readEnd);
      fs.closeSync(pipe.writeEnd);
    }
  }
  let piece: Uint8Array | undefined;
  return {
    ended: endOf(child),
    readStderr: async () => {
      if (piece) giveBack(piece);
      try {
        piece = (await stderr.read()).value;
      } catch (error) {
        throw ioError(error, "cannot read standard error");
      }
      return piece ?? null;
    },
    closeStderr: () => void stderr.cancel().catch(() => {}),
    hasGroup: () => isThere(-child.pid),
    signalGroup: (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // Nobody is left in the group: that is what the signal was for.
      }
    },
  };
}

let inherited: readonly (readonly [string, string | undefined])[] | undefined;

function withEnvironment(
  words: readonly string[],
  added: Readonly<Record<string, string>>,
): { cmd: readonly string[]; env: Readonly<Record<string, string | undefined>> } {
  inherited ??= Object.entries(process.env).filter(([name]) => !isOurs(name));
  const isExact = !inherited.some(([name, value]) => value?.includes(LOST) && !(name in added));
  return {
    cmd: isExact ? words : ["/bin/sh", "-c", `${repairs(added)}exec "$0" "$@"`, ...words],
    env: { ...Object.fromEntries(inherited), ...added },
  };
}

// What Bun, to which a variable is text, has for octets that are not UTF-8.
const LOST = "\ufffd";

// A word of a command line has 128 KiB at most (execve(2)).
const REPAIRS_LIMIT = 100_000;

// What makes a shell give the variables that we inherited the octets that they have lost, except those in `added`: so no word
// of a client's is in it. What it has no room for, or cannot name, stays as it is.
function repairs(added: Readonly<Record<string, string>>): string {
  let script = "";
  for (const variable of environOctets().split("\0")) {
    const [, name = "", value = ""] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(variable) ?? [];
    if (name === "" || name in added || isOurs(name) || !utf8(value).includes(LOST)) continue;
    const octal = value.replace(/[^A-Za-z0-9]/g, (octet) => `\\0${octet.charCodeAt(0).toString(8).padStart(3, "0")}`);
    // The dot saves line ends before it, which the shell would drop.
    const repair = `${name}=$(printf %b '${octal}.'); export ${name}="\${${name}%.}"; `;
    if (script.length + repair.length < REPAIRS_LIMIT) script += repair;
  }
  return script;
}

// The environment that we were started with, a character for each octet.
function environOctets(): string {
  try {
    return fs.readFileSync("/proc/self/environ", "latin1");
  } catch {
    return "";
  }
}

function utf8(octets: string): string {
  return new TextDecoder().decode(Uint8Array.from(octets, (octet) => octet.charCodeAt(0)));
}

function isThere(pid: number): boolean {
  try {
    // Signal 0 only asks (kill(2)).
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's may not be asked, but is there.
    return codeOf(error) === "EPERM";
  }
}

let keepsStatuses = false;

// Whoever started us may ignore SIGCHLD, and we with it: then the kernel keeps no exit status (wait(2)).
function keepStatuses(): void {
  if (!keepsStatuses) process.on("SIGCHLD", () => {});
  keepsStatuses = true;
}

export async function startSelf(args: readonly string[], stderr: "stdout" | "inherit"): Promise<BackgroundSelf> {
  let child: BunProcess;
  try {
    child = bun.spawn({
      // Without an environment of its own, it inherits ours octet for octet.
      cmd: [...stderr === "stdout" ? ERR_TO_OUT : [], ...selfWords(), ...args],
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
  } catch (error) {
    throw ioError(error, `cannot run ${process.execPath}`);
  }
  return { ended: endOf(child), stdout: child.stdout, release: () => child.unref() };
}

export function selfWords(): readonly string[] {
  // In an executable the source has a path that no file system has.
  return bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, bun.main];
}

async function endOf(child: BunProcess): Promise<ProcessEnd> {
  const exit = await child.exited;
  return child.signalCode === null ? { exit } : { signal: child.signalCode };
}
