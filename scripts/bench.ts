// Measures listen mode against a direct connection: `deno task bench`.
//
// Postfix's smtp-source sends to its smtp-sink in three ways: directly, through postprox without a filter, and through
// a naive proxy (naive_proxy.ts). The three take turns in one run. The figure is the ratio to direct, because that does
// not depend on the machine and its load. It prints messages of 5 kB on 10 connections, one message of 20 MB, 5 kB with
// a filter (`-c true`), and the memory of postprox. bench_scanner.ts adds clamd, if that is installed (Debian: apt-get
// install clamav-daemon clamdscan), and bench_helper.ts a filter that stays. Everything is on 127.0.0.1 and bounded. It
// needs smtp-source and smtp-sink (Debian: apt-get install postfix).

import { freePort } from "../tests/rig/ports.ts";
import { type Load, runBench, send, startProxy, startServer, startSink } from "./bench/bed.ts";
import { benchHelper } from "./bench_helper.ts";
import { benchScanner } from "./bench_scanner.ts";
import { ROOT } from "./build.ts";

const ROUNDS = 5;
const SMALL = { size: 5_000, count: 4_000, connections: 10 };
const LARGE = { size: 20_000_000, count: 5, connections: 1 };
const FILTERED = { ...SMALL, count: 1_000 };

await runBench(bench);

async function bench(): Promise<void> {
  const { port: sink } = await startSink();
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

async function startNaive(sink: number): Promise<number> {
  const port = await freePort();
  const script = `${ROOT}scripts/naive_proxy.ts`;
  await startServer("naive", port, [Deno.execPath(), "run", "--quiet", "-A", script, String(port), String(sink)]);
  return port;
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
