// Measures listen mode against a direct connection: `deno task bench`.
//
// Postfix's smtp-source sends to its smtp-sink in three ways: directly, through postprox without a filter, and through
// a naive proxy (naive_proxy.ts). The three take turns in one run. The figure is the ratio to direct, because that does
// not depend on the machine and its load. It prints messages of 5 kB on 10 connections, one message of 20 MB, 5 kB with
// a filter (`-c true`), and the memory of postprox. bench_scanner.ts adds clamd, if that is installed (Debian: apt-get
// install clamav-daemon clamdscan), and bench_helper.ts a filter that stays. Everything is on 127.0.0.1 and bounded. It
// needs smtp-source and smtp-sink (Debian: apt-get install postfix).

import { freePort } from "../tests/rig/ports.ts";
import { benchHelper } from "./bench_helper.ts";
import { benchScanner } from "./bench_scanner.ts";

const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
const ROUNDS = 5;
const SMALL = { size: 5_000, count: 4_000, connections: 10 };
const LARGE = { size: 20_000_000, count: 5, connections: 1 };
const FILTERED = { ...SMALL, count: 1_000 };

type Load = typeof SMALL;

const children: Deno.ChildProcess[] = [];
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

async function bench(): Promise<void> {
  const sink = await freePort();
  start("/usr/sbin/smtp-sink", [...Deno.uid() === 0 ? ["-u", "nobody"] : [], `127.0.0.1:${sink}`, "500"]);
  await accepting(sink);
  const proxy = await startProxy(sink, []);
  const filtering = await startProxy(sink, ["-c", "true"]);
  const naive = await startNaive(sink);

  for (const port of [proxy.port, naive]) await send(port, SMALL);
  await report(`${SMALL.size / 1000} kB, ${SMALL.connections} connections`, SMALL, { sink, proxy: proxy.port, naive });
  const before = memory(proxy.pid);
  await report(`${LARGE.size / 1e6} MB, one connection`, LARGE, { sink, proxy: proxy.port, naive });
  const grown = memory(proxy.pid) - before;
  await report(`${FILTERED.size / 1000} kB, with -c true`, FILTERED, { sink, proxy: filtering.port });
  await benchScanner({
    sink,
    startProxy: async (options) => (await startProxy(sink, options)).port,
    report: (what, port) => report(what, FILTERED, { sink, proxy: port }),
  });
  await benchHelper({
    rounds: ROUNDS,
    startProxy: async (options) => (await startProxy(sink, options)).port,
    send: (port, count) => send(port, { ...SMALL, count }),
  });
  console.log(`\nmemory: ${before.toFixed(0)} MB after the small messages, ${signed(grown)} MB after those of 20 MB`);
}

async function report(
  what: string,
  load: Load,
  { sink, proxy, naive }: { sink: number; proxy: number; naive?: number },
): Promise<void> {
  const rates: { direct: number[]; through: number[]; naive: number[] } = { direct: [], through: [], naive: [] };
  for (let round = 1; round <= ROUNDS; round++) {
    if (Deno.stderr.isTerminal()) {
      Deno.stderr.writeSync(new TextEncoder().encode(`\r${what}: round ${round} of ${ROUNDS}`));
    }
    rates.direct.push(await send(sink, load));
    rates.through.push(await send(proxy, load));
    if (naive !== undefined) rates.naive.push(await send(naive, load));
  }
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
  const ratiosOf = (some: readonly number[]) => some.map((rate, at) => rate / rates.direct[at]!);
  const ratios = ratiosOf(rates.through);
  const unit = load.size >= 1e6 ? "MB/s" : "messages/s";
  const scale = load.size >= 1e6 ? load.size / 1e6 : 1;
  const show = (rate: number) => (rate * scale).toFixed(0).padStart(6);
  console.log(
    `${what.padEnd(28)} direct ${show(median(rates.direct))}  through ${show(median(rates.through))} ${
      unit.padEnd(11)
    }` +
      `ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})` +
      (naive === undefined ? "" : `, naive ${median(ratiosOf(rates.naive)).toFixed(2)}`),
  );
}

// Messages per second.
async function send(port: number, { size, count, connections }: Load): Promise<number> {
  const args = [
    "-s",
    String(connections),
    "-l",
    String(size),
    "-m",
    String(count),
    "-f",
    "a@a.example",
    "-t",
    "b@b.example",
  ];
  const started = performance.now();
  const { success } = await new Deno.Command("/usr/sbin/smtp-source", { args: [...args, `127.0.0.1:${port}`] })
    .output();
  if (!success) throw new Error(`smtp-source to port ${port} failed`);
  return count / ((performance.now() - started) / 1000);
}

async function startProxy(sink: number, options: string[]): Promise<{ pid: number; port: number }> {
  const port = await freePort();
  const program = Deno.env.get("POSTPROX");
  const words = program ? [program] : [Deno.execPath(), "run", "--quiet", "-A", "--unstable-net", `${root}main.ts`];
  const [first, ...rest] = [...words, "--foreground", "-l", String(port), ...options, `127.0.0.1:${sink}`];
  const { pid } = start(first!, rest);
  await accepting(port);
  return { pid, port };
}

async function startNaive(sink: number): Promise<number> {
  const port = await freePort();
  start(Deno.execPath(), ["run", "--quiet", "-A", `${root}scripts/naive_proxy.ts`, String(port), String(sink)]);
  await accepting(port);
  return port;
}

function start(program: string, args: string[]): Deno.ChildProcess {
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  children.push(child);
  return child;
}

async function accepting(port: number): Promise<void> {
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

// Resident megabytes.
function memory(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) / 1024;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(0)}`;
}
