// Processes on Bun.
//
// Known gap: an environment variable that is added is UTF-8 text.

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

// Variables are text to Bun, with U+FFFD for octets that are not UTF-8. Only the environment as a whole, as it came, is
// inherited octet for octet; where that makes a difference, env(1) changes it. Its words are for all to see for a moment, so
// that it is left out elsewhere.
function withEnvironment(
  words: readonly string[],
  added: Readonly<Record<string, string>>,
): { cmd: readonly string[]; env?: Readonly<Record<string, string | undefined>> } {
  inherited ??= Object.entries(process.env).filter(([name]) => !isOurs(name));
  if (!inherited.some(([name, value]) => name.includes(LOST) || value?.includes(LOST))) {
    return { cmd: words, env: { ...Object.fromEntries(inherited), ...added } };
  }
  const removed = Object.keys(process.env).filter(isOurs).flatMap((name) => ["-u", name]);
  const assigned = Object.entries(added).map(([name, value]) => `${name}=${value}`);
  // To env, a program with an equals sign in its path is one more variable.
  const program = words[0]!.includes("=") ? ["/bin/sh", "-c", 'exec "$0" "$@"', ...words] : words;
  return { cmd: ["/usr/bin/env", ...removed, ...assigned, ...program] };
}

const LOST = "\ufffd";

let inherited: readonly (readonly [string, string | undefined])[] | undefined;

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
      cmd: [...stderr === "stdout" ? ERR_TO_OUT : [], ...selfWords(), ...args],
      env: process.env,
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
