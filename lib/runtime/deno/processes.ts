// Processes on Deno: filters, and this program itself in the background.
//
// The system passes our environment to a child octet for octet. Known gap: a variable that we add is UTF-8 text.

import { ioError } from "./api.ts";
import { failRead } from "./sockets.ts";
import { ERR_TO_OUT, isOurs, successorWords } from "../shared/children.ts";
import type { BackgroundSelf, Child, ProcessEnd } from "../../ports/runtime.ts";

const SHELL = "/bin/sh";
const SETSID = "/usr/bin/setsid";

const STDERR_READ = 65536;

export async function start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child> {
  return childOf(spawnFilter(words, { env: environment, stdin: "null", stdout: "null" }));
}

/** Starts `words` as the leader of a process group, with what a filter may inherit of us. */
export function spawnFilter(
  words: readonly string[],
  options: Pick<Deno.CommandOptions, "env" | "stdin" | "stdout">,
): Deno.ChildProcess {
  keepStatuses();
  keepDescriptors();
  keepVariables();
  return spawnGroupLeader(words, options);
}

/** A process as the program knows it, which reads its standard error. */
export function childOf(child: Deno.ChildProcess): Child {
  // All reads use the same room. With new room for each, 100 MB would make the process 80 MB larger.
  const stderr = child.stderr.getReader({ mode: "byob" });
  let room = new Uint8Array(STDERR_READ);
  let over = false;
  const ended = child.status.then((status) => {
    over = true;
    return endOf(status);
  });
  return {
    ended,
    readStderr: async () => {
      const { value, done } = await stderr.read(room).catch(failRead);
      if (value) room = new Uint8Array(value.buffer);
      return done || !value ? null : value;
    },
    closeStderr: () => void stderr.cancel().catch(() => {}),
    hasGroup: () => isThere(-child.pid),
    signalGroup: (signal) => {
      if (reachesGroup(child, signal) || over) return;
      // setsid(1) has not made the group yet. It may make it in this very moment, and its program may start others.
      killAlone(child, signal);
      reachesGroup(child, signal);
    },
  };
}

function isThere(pid: number): boolean {
  try {
    // Signal 0 only asks (kill(2)).
    Deno.kill(pid, 0 as unknown as Deno.Signal);
    return true;
  } catch (error) {
    // We may not signal a process of another user, but it is there.
    return error instanceof Deno.errors.PermissionDenied;
  }
}

let keepsStatuses = false;

// The program that started us may ignore SIGCHLD. We inherit that, and then the kernel keeps no exit status (wait(2)).
export function keepStatuses(): void {
  if (!keepsStatuses) Deno.addSignalListener("SIGCHLD", () => {});
  keepsStatuses = true;
}

let kept: Map<string, string> | undefined;

function keepVariables(): void {
  if (kept) return;
  kept = new Map(Object.entries(Deno.env.toObject()).filter(([name]) => isOurs(name)));
  for (const name of kept.keys()) Deno.env.delete(name);
}

/** The value of a variable of our environment, also of one that no child gets. */
export function variable(name: string): string | undefined {
  return kept?.get(name) ?? Deno.env.get(name);
}

let keepsDescriptors = false;

// Deno's own descriptors close at an execve(2). The program that started us may have left others open, and no filter
// may have those. There are hardly ever any, and then libc is not loaded. Without /proc nobody can tell, and they stay
// open.
function keepDescriptors(): void {
  if (keepsDescriptors) return;
  keepsDescriptors = true;
  try {
    const open = Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => Number(name));
    const left = open.filter((descriptor) => descriptor > 2 && !closesAtExec(descriptor));
    if (left.length === 0) return;
    const libc = Deno.dlopen("libc.so.6", { fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" } });
    for (const descriptor of left) libc.symbols.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    libc.close();
  } catch {
    // No /proc, or another libc.
  }
}

// From the headers of Linux.
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const O_CLOEXEC = 0o2000000;

function closesAtExec(descriptor: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${descriptor}`))?.[1] ?? "";
    return (parseInt(flags, 8) & O_CLOEXEC) !== 0;
  } catch {
    // This descriptor was the one that read the directory.
    return true;
  }
}

/** False if the group of `child` is empty, or not made yet. */
function reachesGroup({ pid }: Deno.ChildProcess, signal: Deno.Signal): boolean {
  try {
    Deno.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function killAlone(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has just ended.
  }
}

// setsid(1) makes the process the leader of its own group and then becomes the program. Deno's `detached` does that,
// too, but it forks this whole process and takes five times as long. So it is only for systems without util-linux. The
// shell finds out if the program cannot be executed, and then exits with 126 or 127. An older setsid exits with 1, and for a
// filter that means "reject the message". A new one needs no shell.
function spawnGroupLeader(
  words: readonly string[],
  pipes: Pick<Deno.CommandOptions, "env" | "stdin" | "stdout">,
): Deno.ChildProcess {
  const options = { ...place(), ...pipes, stderr: "piped" } as const;
  try {
    const args = words[0] === SHELL || setsidTells && isExecutable(words[0])
      ? [...words]
      : [SHELL, "-c", 'exec "$0" "$@"', ...words];
    if (++started === 2) askSetsid();
    return new Deno.Command(SETSID, { ...options, args }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw ioError(error, `cannot run ${words[0]}`);
  }
  const [program = "", ...args] = words;
  try {
    return new Deno.Command(program, { ...options, args, detached: true }).spawn();
  } catch (error) {
    throw ioError(error, `cannot run ${program}`);
  }
}

// Whether setsid tells by its exit status that it cannot execute a program (util-linux from 2.33 on, busybox). It is asked
// when a process starts its second program: a process for one message would pay for the answer and not use it.
let setsidTells = false;
let started = 0;

function askSetsid(): void {
  // A directory is no program.
  void new Deno.Command(SETSID, { args: ["/"], stdin: "null", stdout: "null", stderr: "null" }).output().then(
    ({ code }) => setsidTells = code === 126 || code === 127,
    () => {},
  );
}

const ELF = 0x7f45_4c46;
const HASH_BANG = 0x2321;

// Whether the kernel itself can execute the file. A script without #! needs the shell, and what is not there as well.
function isExecutable(path = ""): boolean {
  try {
    // To open a pipe would wait.
    if (!Deno.statSync(path).isFile) return false;
    using file = Deno.openSync(path);
    const beginning = new DataView(new ArrayBuffer(4));
    file.readSync(new Uint8Array(beginning.buffer));
    return beginning.getUint32(0) === ELF || beginning.getUint16(0) === HASH_BANG;
  } catch {
    return false;
  }
}

// Deno starts no process if it cannot reach the working directory by its path. For example, another user cannot reach
// root's home, where runuser(1) may have been typed.
export function place(): { cwd?: string } {
  try {
    Deno.statSync(Deno.cwd());
    return {};
  } catch {
    return { cwd: "/" };
  }
}

export async function startSelf(args: readonly string[], stderr: "stdout" | "inherit"): Promise<BackgroundSelf> {
  const [program = "", ...words] = [
    ...successorWords(Deno.env.get("WATCHDOG_PID")),
    ...stderr === "stdout" ? ERR_TO_OUT : [],
    ...ownWords(),
    ...args,
  ];
  try {
    const child = new Deno.Command(program, {
      ...place(),
      args: words,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
      detached: true,
    }).spawn();
    return { pid: child.pid, ended: child.status.then(endOf), stdout: child.stdout, release: () => child.unref() };
  } catch (error) {
    throw ioError(error, `cannot run ${program}`);
  }
}

export function selfWords(): readonly string[] {
  // Deno keeps compiled source there. Without it each start would compile again.
  const cache = Deno.build.standalone ? undefined : Deno.env.get("DENO_DIR");
  return cache === undefined ? ownWords() : ["/usr/bin/env", `DENO_DIR=${cache}`, ...ownWords()];
}

function ownWords(): [string, ...string[]] {
  if (Deno.build.standalone) return [Deno.execPath()];
  const main = decodeURIComponent(new URL(Deno.mainModule).pathname);
  return [Deno.execPath(), "run", "--quiet", "--allow-all", "--unstable-net", main];
}

export function endOf(status: Deno.CommandStatus): ProcessEnd {
  return status.signal === null ? { exit: status.code } : { signal: status.signal };
}
