// Shared by the benchmarks: the servers, postprox, and the load of smtp-source. Everything is on 127.0.0.1.

import { freePort } from "../tests/rig/ports.ts";
import { ROOT } from "./build.ts";

/** What smtp-source sends: the size of a message in octets. */
export interface Load {
  readonly size: number;
  readonly count: number;
  readonly connections: number;
}

const children: Deno.ChildProcess[] = [];

/** Runs `bench`, and ends what it has started. */
export async function runBench(bench: () => Promise<void>): Promise<void> {
  try {
    await bench();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error("bench: needs Postfix's smtp-source and smtp-sink: apt-get install postfix");
    Deno.exitCode = 1;
  } finally {
    for (const child of children) child.kill("SIGTERM");
    await Promise.all(children.map((child) => child.status));
  }
}

/** Starts a server that throws mail away. Returns its port. */
export async function startSink(): Promise<number> {
  const sink = await freePort();
  start("/usr/sbin/smtp-sink", [...Deno.uid() === 0 ? ["-u", "nobody"] : [], `127.0.0.1:${sink}`, "500"]);
  await accepting(sink);
  return sink;
}

/** Starts postprox, or the executable that POSTPROX names. */
export async function startProxy(
  sink: number,
  options: readonly string[],
): Promise<{ readonly pid: number; readonly port: number }> {
  const port = await freePort();
  const program = Deno.env.get("POSTPROX");
  const words = program ? [program] : [Deno.execPath(), "run", "--quiet", "-A", "--unstable-net", `${ROOT}main.ts`];
  const [first, ...rest] = [...words, "--foreground", "-l", String(port), ...options, `127.0.0.1:${sink}`];
  const { pid } = start(first!, rest);
  await accepting(port);
  return { pid, port };
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

export function start(program: string, args: string[]): Deno.ChildProcess {
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  children.push(child);
  return child;
}

/** Waits until something listens on `port`. */
export async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`nothing accepts connections on port ${port}`);
}
