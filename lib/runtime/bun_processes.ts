// Processes on Bun.
//
// Known gap: an environment variable is UTF-8 text here.

import * as fs from "node:fs";
import process from "node:process";
import { bun, type BunProcess, codeOf, giveBack, ioError } from "./bun_api.ts";
import { makePipe } from "./bun_libc.ts";
import type { BackgroundSelf, Child, ProcessEnd } from "./ports.ts";

export async function start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
  keepStatuses();
  // What Bun calls a pipe is a pair of sockets, which a program cannot open by a name such as /dev/stderr (ENXIO). It has to
  // do where there is nothing else.
  const pipe = await makePipe();
  let child: BunProcess;
  let stderr: ReadableStreamDefaultReader<Uint8Array>;
  try {
    child = bun.spawn({
      cmd: words,
      env: { ...process.env, ...environment },
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
    signalGroup: (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // Nobody is left in the group: that is what the signal was for.
      }
    },
  };
}

let keepsStatuses = false;

// Whoever started us may ignore SIGCHLD, and we with it: then the kernel keeps no exit status (wait(2)).
function keepStatuses(): void {
  if (!keepsStatuses) process.on("SIGCHLD", () => {});
  keepsStatuses = true;
}

export async function startSelf(args: readonly string[], stderr: "pipe" | "inherit"): Promise<BackgroundSelf> {
  let child: BunProcess;
  try {
    child = bun.spawn({
      cmd: [...selfWords(), ...args],
      env: process.env,
      stdio: ["ignore", "pipe", stderr],
      detached: true,
    });
  } catch (error) {
    throw ioError(error, `cannot run ${process.execPath}`);
  }
  return {
    ended: endOf(child),
    stdout: child.stdout,
    stderr: stderr === "pipe" ? new Response(child.stderr).text() : Promise.resolve(""),
    release: () => child.unref(),
  };
}

export function selfWords(): readonly string[] {
  // In an executable the source has a path that no file system has.
  return bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, bun.main];
}

async function endOf(child: BunProcess): Promise<ProcessEnd> {
  const exit = await child.exited;
  return child.signalCode === null ? { exit } : { signal: child.signalCode };
}

export async function isAlive(pid: number): Promise<boolean> {
  try {
    // Signal 0 only asks (kill(2)).
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's may not be asked, but is there.
    return codeOf(error) === "EPERM";
  }
}
