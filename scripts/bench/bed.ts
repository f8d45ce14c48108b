// Shared by the benchmarks: the servers, postprox, and the load of smtp-source. Everything is on 127.0.0.1.

import { freePort } from "../../tests/rig/ports.ts";
import { ROOT } from "../build.ts";
import { processorTime } from "./processor_time.ts";
import type { Way } from "./way.ts";

/** What smtp-source sends: the size of a message in octets. */
export interface Load {
  readonly size: number;
  readonly count: number;
  readonly connections: number;
}

/** A server that we have started. */
export interface Server extends Way {
  readonly pid: number;
  readonly processorTime: () => number;
}

/** Milliseconds until a server that was asked to end is killed. */
const PATIENCE = 5_000;

const children = new Set<Deno.ChildProcess>();

/** Runs `bench`, and ends what it has started. */
export async function runBench(bench: () => Promise<void>): Promise<void> {
  try {
    await bench();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error("bench: needs Postfix's smtp-source and smtp-sink: apt-get install postfix");
    Deno.exitCode = 1;
  } finally {
    await Promise.all([...children].map(end));
  }
}

/** Starts a server that throws mail away. */
export async function startSink(): Promise<Server> {
  const port = await freePort();
  return await startServer("smtp-sink", port, [
    "/usr/sbin/smtp-sink",
    ...Deno.uid() === 0 ? ["-u", "nobody"] : [],
    `127.0.0.1:${port}`,
    "500",
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

/** Starts a program without input and output. `runBench` ends it if nobody else does. */
export function startProgram(
  [program = "", ...args]: readonly string[],
  options: StartOptions = {},
): Deno.ChildProcess {
  const child = new Deno.Command(program, { ...options, args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
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
export async function send(port: number, { size, count, connections }: Load): Promise<number> {
  const sizes = ["-s", String(connections), "-l", String(size), "-m", String(count)];
  const args = [...sizes, "-f", "a@a.example", "-t", "b@b.example", `127.0.0.1:${port}`];
  const started = performance.now();
  const { success } = await new Deno.Command("/usr/sbin/smtp-source", { args }).output();
  if (!success) throw new Error(`smtp-source to port ${port} failed`);
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
