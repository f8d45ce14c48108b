// Measures the cost of --metrics: `deno task bench:metrics`.
//
// Two processes of postprox relay to one smtp-sink: one without --metrics, and one with it, which is scraped.
// They take turns in one run, and the one that begins changes with each round. The arguments are the count of rounds (20), and
// the seconds from one scrape to the next (1). It prints the ratio of their rates in messages of 5
// kB on 10 connections, and the ratio of the processor time that postprox itself takes for a message. Other load of the machine
// disturbs the second figure less. Everything is on 127.0.0.1 and bounded. It needs smtp-source and smtp-sink (Debian: apt-get
// install postfix).

import { freePort } from "../../tests/rig/ports.ts";
import { runBuild } from "../build.ts";
import { runBench, send, type Server, startProxy, startSink } from "./bed.ts";

const ROUNDS = Number(Deno.args[0] ?? 20);
/** Seconds from one scrape to the next. */
const INTERVAL = Number(Deno.args[1] ?? 1);
const LOAD = { size: 5_000, count: 3_000, connections: 10 };

interface Proxy extends Server {
  readonly rates: number[];
  /** Milliseconds of the processor for a message. */
  readonly costs: number[];
}

let scrapes = 0;
await runBuild("bench:metrics", () => runBench(bench));

async function bench(): Promise<void> {
  const { port: sink } = await startSink();
  const plain = await startMeasured(sink, []);
  const metrics = await freePort();
  const metered = await startMeasured(sink, [`--metrics=${metrics}`]);
  const timer = setInterval(() => void scrape(metrics), INTERVAL * 1000);
  try {
    // The compilers of the runtimes need some mail.
    for (const proxy of [plain, metered, plain, metered]) await send(proxy.port, LOAD);
    for (let round = 0; round < ROUNDS; round++) {
      const order = round % 2 === 0 ? [plain, metered] : [metered, plain];
      for (const proxy of order) {
        const before = proxy.processorTime();
        proxy.rates.push(await send(proxy.port, LOAD));
        proxy.costs.push((proxy.processorTime() - before) / LOAD.count);
      }
    }
  } finally {
    clearInterval(timer);
  }
  report("messages/s", plain.rates, metered.rates);
  report("ms of CPU for a message", plain.costs, metered.costs);
  console.log(`${ROUNDS} rounds of ${LOAD.count} messages, ${scrapes} scrapes`);
}

function report(unit: string, plain: readonly number[], metered: readonly number[]): void {
  const ratios = metered.map((value, at) => value / plain[at]!).sort((one, other) => one - other);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((part) =>
    ratios[Math.floor(part * (ratios.length - 1))]!.toFixed(3)
  );
  const shown = (values: readonly number[]) => mean(values).toPrecision(4);
  console.log(
    `${unit.padEnd(24)} without ${shown(plain)}  with --metrics ${shown(metered)}  ratio of means ${
      (mean(metered) / mean(plain)).toFixed(3)
    }, of pairs ${middle} (quartiles ${low} and ${high})`,
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function scrape(port: number): Promise<void> {
  const accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
  await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { accept } })).text();
  scrapes++;
}

async function startMeasured(sink: number, options: readonly string[]): Promise<Proxy> {
  return { ...await startProxy(sink, options), rates: [], costs: [] };
}
