// Measures the cost of --metrics: `deno task bench:metrics`.
//
// Two processes of postprox relay to one smtp-sink: one without --metrics, and one with it, which is scraped.
// They take turns in one run, and the one that begins changes with each round. The arguments are the count of rounds (20), and
// the seconds from one scrape to the next (1). It prints the ratio of their rates in messages of 5
// kB on 10 connections, and the ratio of the processor time that postprox itself takes for a message. Other load of the machine
// disturbs the second figure less. Everything is on 127.0.0.1 and bounded. It needs smtp-source and smtp-sink (Debian: apt-get
// install postfix).

import { freePort } from "../tests/rig/ports.ts";

const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
const ROUNDS = Number(Deno.args[0] ?? 20);
/** Seconds from one scrape to the next. */
const INTERVAL = Number(Deno.args[1] ?? 1);
const COUNT = 3_000;
const SIZE = 5_000;
const CONNECTIONS = 10;

// The unit of the times in /proc/PID/stat, in milliseconds.
const TICK = 10;

interface Proxy {
  readonly pid: number;
  readonly port: number;
  readonly rates: number[];
  /** Milliseconds of the processor for a message. */
  readonly costs: number[];
}

const children: Deno.ChildProcess[] = [];
let scrapes = 0;
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
  const plain = await startProxy(sink, []);
  const metrics = await freePort();
  const metered = await startProxy(sink, [`--metrics=${metrics}`]);
  const timer = setInterval(() => void scrape(metrics), INTERVAL * 1000);
  try {
    // The compilers of the runtimes need some mail.
    for (const proxy of [plain, metered, plain, metered]) await send(proxy.port);
    for (let round = 0; round < ROUNDS; round++) {
      const order = round % 2 === 0 ? [plain, metered] : [metered, plain];
      for (const proxy of order) {
        const before = processorTime(proxy.pid);
        proxy.rates.push(await send(proxy.port));
        proxy.costs.push((processorTime(proxy.pid) - before) / COUNT);
      }
    }
  } finally {
    clearInterval(timer);
  }
  report("messages/s", plain.rates, metered.rates);
  report("ms of CPU for a message", plain.costs, metered.costs);
  console.log(`${ROUNDS} rounds of ${COUNT} messages, ${scrapes} scrapes`);
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

/** Messages per second. */
async function send(port: number): Promise<number> {
  const args = [
    "-s",
    String(CONNECTIONS),
    "-l",
    String(SIZE),
    "-m",
    String(COUNT),
    "-f",
    "a@a.example",
    "-t",
    "b@b.example",
  ];
  const started = performance.now();
  const { success } = await new Deno.Command("/usr/sbin/smtp-source", { args: [...args, `127.0.0.1:${port}`] })
    .output();
  if (!success) throw new Error(`smtp-source to port ${port} failed`);
  return COUNT / ((performance.now() - started) / 1000);
}

/** Of all its threads, in milliseconds (proc(5)). */
function processorTime(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

async function startProxy(sink: number, options: string[]): Promise<Proxy> {
  const port = await freePort();
  const program = Deno.env.get("POSTPROX");
  const words = program ? [program] : [Deno.execPath(), "run", "--quiet", "-A", "--unstable-net", `${root}main.ts`];
  const [first, ...rest] = [...words, "--foreground", "-l", String(port), ...options, `127.0.0.1:${sink}`];
  const { pid } = start(first!, rest);
  await accepting(port);
  return { pid, port, rates: [], costs: [] };
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
