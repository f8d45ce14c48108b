// Runs /bin/true as a filter. It gets what a filter of -c must have: a message in a file, an empty file for its own version, a
// file with the recipients, a pipe as its standard error, and a process group of its own. One more file is the mark that
// these are in use. It has a lock, which the system takes back from a process that is killed. Filters that run together share
// it.

import process from "node:process";
import { bun } from "./api.ts";

// On Deno an import of node:fs would make the start slower.
const fs = bun && process.getBuiltinModule("node:fs");

const MARK = new TextEncoder().encode("boot 00000000-0000-0000-0000-000000000000 device 1\n");
const RECIPIENTS = new TextEncoder().encode("b@b.example\n");
const EXCLUSIVE = 2;

let count = 0;
let running = 0;
let mark: Promise<Mark> | undefined;

interface Mark {
  readonly path: string;
  readonly unlock: () => void;
}

/** Returns when it has ended. The files are in `directory`, and are removed. */
export async function filter(directory: string, message: Uint8Array): Promise<void> {
  const email = `${directory}/bare-${process.pid}-${++count}`;
  const files = { email, outfile: `${email}-out`, recipients: `${email}-rcpt` };
  running++;
  const { path, unlock } = await (mark ??= lock(`${email}-lock`));
  const write = fs ? fs.writeFileSync : Deno.writeFileSync;
  write(files.email, message);
  write(files.outfile, new Uint8Array(0));
  write(files.recipients, RECIPIENTS);
  await runTrue();
  const remove = fs ? fs.unlinkSync : Deno.removeSync;
  for (const path of Object.values(files)) remove(path);
  if (--running > 0) return;
  mark = undefined;
  remove(path);
  unlock();
}

async function runTrue(): Promise<void> {
  if (bun) {
    const { stderr, exited } = bun.spawn(["/bin/true"], { stdio: ["ignore", "ignore", "pipe"], detached: true });
    await Promise.all([stderr.getReader().read(), exited]);
    return;
  }
  // Deno's own `detached` forks the whole process, which costs more than one more execve(2).
  const command = new Deno.Command("/usr/bin/setsid", {
    args: ["/bin/true"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  });
  const { stderr, status } = command.spawn();
  await Promise.all([stderr.getReader().read(), status]);
}

let flock: ((descriptor: number, kind: number) => number) | undefined;

/** Makes a file with a lock. On Bun only libc can do that. */
async function lock(path: string): Promise<Mark> {
  if (!fs) {
    const file = Deno.openSync(path, { createNew: true, write: true });
    file.lockSync(true);
    file.writeSync(MARK);
    return { path, unlock: () => file.close() };
  }
  flock ??= await loadFlock();
  const descriptor = fs.openSync(path, "wx");
  flock(descriptor, EXCLUSIVE);
  fs.writeSync(descriptor, MARK);
  return { path, unlock: () => fs.closeSync(descriptor) };
}

async function loadFlock(): Promise<(descriptor: number, kind: number) => number> {
  // Only Bun knows this module.
  const name = "bun:ffi";
  const { dlopen } = await import(name);
  return dlopen("libc.so.6", { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols.flock;
}
