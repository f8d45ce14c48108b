// Shared by the benchmarks: the servers, postprox, and the load of smtp-source. Everything is on 127.0.0.1.

import { freePort } from "../../tests/rig/ports.ts";
import { BuildError, ROOT } from "../build.ts";
import { processorTime } from "./processor_time.ts";
import type { Way } from "./way.ts";

/** What smtp-source sends. */
export interface Load {
  /** Of a message, in octets. */
  readonly size: number;
  readonly count: number;
  readonly connections: number;
  /** Of each message: 1 without this. */
  readonly recipients?: number;
  /** A connection takes one message after the other. Without this, it takes one. */
  readonly keepsOpen?: boolean;
}

/** A server that we have started. */
export interface Server extends Way {
  readonly pid: number;
  readonly processorTime: () => number;
}

const SOURCE = "/usr/sbin/smtp-source";
const SINK = "/usr/sbin/smtp-sink";

/** Milliseconds until a server that was asked to end is killed. */
const PATIENCE = 5_000;

const children = new Set<Deno.ChildProcess>();

/** Runs `bench`, and ends what it has started. Throws a `BuildError` without Postfix's test programs. */
export async function runBench<T>(bench: () => Promise<T>): Promise<T> {
  for (const program of [SOURCE, SINK]) {
    if (!isFile(program)) throw new BuildError(`there is no ${program}: apt-get install postfix`);
  }
  try {
    return await bench();
  } finally {
    await Promise.all([...children].map(end));
  }
}

/** A file system in memory. */
const MEMORY = "/dev/shm";

/** Gives `work` a directory in memory. */
export async function inMemory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir({ dir: MEMORY, prefix: "postprox-bench-" });
  try {
    return await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Starts a server that throws mail away, with room in its queue for all clients that a benchmark has. */
export async function startSink(at?: number): Promise<Server> {
  const port = at ?? await freePort();
  return await startServer("smtp-sink", port, [
    SINK,
    "-m",
    "10000",
    ...Deno.uid() === 0 ? ["-u", "nobody"] : [],
    `127.0.0.1:${port}`,
    "1000",
  ]);
}

/** Starts postprox in listen mode, from the source, or the executable that POSTPROX names. */
export async function startProxy(sink: number, options: readonly string[], words = postprox()): Promise<Server> {
  const port = await freePort();
  const args = ["--foreground", "-l", String(port), ...options, `127.0.0.1:${sink}`];
  return await startServer("postprox", port, [...words, ...args]);
}

/** The words that run postprox. */
export function postprox(): readonly string[] {
  const program = Deno.env.get("POSTPROX");
  return program ? [program] : [Deno.execPath(), "run", "--quiet", "-A", "--unstable-net", `${ROOT}main.ts`];
}

export interface StartOptions {
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Record<string, string>;
  /** It has pipes as its standard input and output. */
  readonly talks?: boolean;
}

/** Starts a server that stays in the foreground and listens on `port`. It accepts connections when this returns. */
export async function startServer(
  name: string,
  port: number,
  argv: readonly string[],
  options: StartOptions = {},
): Promise<Server> {
  const child = startProgram(argv, options);
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  await accepting(port, () => {
    if (hasEnded) throw new Error(`${name} has ended: ${argv.join(" ")}`);
  });
  return { name, port, pid: child.pid, processorTime: () => processorTime([child.pid]), stop: () => end(child) };
}

/** Starts a program. `runBench` ends it if nobody else does. */
export function startProgram(
  [program = "", ...args]: readonly string[],
  { talks = false, ...options }: StartOptions = {},
): Deno.ChildProcess {
  const pipe = talks ? "piped" : "null";
  const child = new Deno.Command(program, { ...options, args, stdin: pipe, stdout: pipe, stderr: "null" }).spawn();
  children.add(child);
  return child;
}

/** Ends a program that `startProgram` has started. */
export async function end(child: Deno.ChildProcess): Promise<void> {
  if (!children.delete(child)) return;
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended.
  }
  await child.status;
  clearTimeout(timer);
}

/** Sends the load. Returns messages per second. */
export async function send(port: number, load: Load): Promise<number> {
  const { size, count, connections, recipients = 1, keepsOpen = false } = load;
  const numbers = { "-s": connections, "-l": size, "-m": count, "-r": recipients };
  const args = [
    ...Object.entries(numbers).flatMap(([option, value]) => [option, String(value)]),
    ...keepsOpen ? ["-d"] : [],
    ...["-f", "a@a.example", "-t", "b@b.example", `127.0.0.1:${port}`],
  ];
  const started = performance.now();
  const { success, stderr } = await new Deno.Command(SOURCE, { args }).output();
  if (!success) throw new Error(`smtp-source to port ${port} failed: ${new TextDecoder().decode(stderr)}`);
  return count / ((performance.now() - started) / 1000);
}

/** Waits until something listens on `port`. `look` throws if that is in vain. */
export async function accepting(port: number, look: () => void = () => {}): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    look();
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`nothing accepts connections on port ${port}`);
}

export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
