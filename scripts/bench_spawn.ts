// Measures the cost of spawn mode, where each message is a process: `deno task bench:spawn`.
//
// It starts a process as Postfix's spawn(8) does, and sends it one whole message of 5 kB with `-c true`, alone and ten
// at a time. In the same run it takes turns with an empty program on the same runtime. The figure is the ratio of the
// two, because that does not depend on the machine and its load. CPU time is that of the program and of its filter.
//
// Postprox runs from source on Deno, as it is and bundled into one file. It also runs as an executable of Bun:
// POSTPROX_BUN names one, or it is built, which needs npm. If POSTPROX_DENO names an executable of Deno, that runs,
// too. If clamd and clamdscan are installed, the source and the executable of Bun also ask a real clamd, with --clamd and
// with examples/clamdscan-filter. clamd's own CPU time is not counted. It needs python3.

import { clamdscanFilter, startClamd } from "./bench_scanner.ts";
import { BuildError, inWorkshop, ROOT, runBuild } from "./build.ts";
import { makeBundle } from "./bundle.ts";
import { compileWithBun } from "./compile_bun.ts";
import { Server } from "../tests/rig/server.ts";

const ROUNDS = 15;
const TOGETHER = 10;
const SIZE = 5000;

interface Way {
  readonly name: string;
  readonly argv: readonly string[];
  readonly size: number;
  /** The name of the empty program on the same runtime. */
  readonly empty: string;
}

const EMPTY_ON_DENO = "Deno, an empty program";
const EMPTY_ON_BUN = "Bun, an empty program";

type Figures = readonly [wall: number, cpu: number, memory: number];

await runBuild("bench:spawn", () => inWorkshop(Deno.env.get("TMPDIR") ?? "/tmp", bench));

async function bench(workshop: string): Promise<void> {
  const sink = await Server.start();
  const spawner = startSpawner();
  const clamd = await startClamd({ needsClamdscan: true });
  try {
    const ways = await waysToRun(
      workshop,
      sink.operand,
      clamd && [
        { name: "--clamd", checks: [`--clamd=${clamd.unix}`] },
        { name: "clamdscan-filter", checks: ["-c", clamdscanFilter(clamd)] },
      ],
    );
    const figures = new Map<string, Figures[]>();
    for (let round = 0; round <= ROUNDS; round++) {
      for (const way of ways) {
        // The first round warms up the caches.
        if (round > 0) note(`round ${round} of ${ROUNDS}`);
        for (const together of round % 5 === 0 ? [1, TOGETHER] : [1]) {
          const results = await spawner.run(way, together);
          if (round === 0) continue;
          const key = `${way.name} ${together}`;
          figures.set(key, [...figures.get(key) ?? [], ...results]);
        }
      }
    }
    note("");
    for (const together of [1, TOGETHER]) print(ways, together, figures);
  } finally {
    await spawner.stop();
    await sink.stop();
    await clamd?.stop();
  }
}

interface Checks {
  readonly name: string;
  readonly checks: readonly string[];
}

async function waysToRun(workshop: string, downstream: string, more: readonly Checks[] = []): Promise<Way[]> {
  const argsWith = (checks: readonly string[]) => [downstream, ...checks, "-d", workshop];
  const args = argsWith(["-c", "true"]);
  const deno = [Deno.execPath(), "run", "--quiet", "-A", "--unstable-net"];
  Deno.writeTextFileSync(`${workshop}/empty.ts`, "");
  const ways = [
    { name: EMPTY_ON_DENO, argv: [...deno, `${workshop}/empty.ts`], size: 0 },
    { name: "Deno, source", argv: [...deno, `${ROOT}main.ts`, ...args], size: SIZE },
    { name: "Deno, one bundle", argv: [...deno, await makeBundle(workshop), ...args], size: SIZE },
    ...more.map(({ name, checks }) => ({
      name: `Deno, source, ${name}`,
      argv: [...deno, `${ROOT}main.ts`, ...argsWith(checks)],
      size: SIZE,
    })),
  ].map((way) => ({ ...way, empty: EMPTY_ON_DENO }));
  const compiled = Deno.env.get("POSTPROX_DENO");
  if (compiled) {
    ways.push({ name: "Deno, executable", argv: [absolute(compiled), ...args], size: SIZE, empty: EMPTY_ON_DENO });
  }
  note("building with Bun");
  await compileWithBun(`${workshop}/empty.ts`, `${workshop}/empty`, { cwd: workshop, flags: [] });
  let executable = Deno.env.get("POSTPROX_BUN");
  if (!executable) {
    executable = `${workshop}/postprox`;
    await compileWithBun(`${ROOT}main_bun.ts`, executable, { cwd: workshop, flags: [] });
  }
  ways.push({ name: EMPTY_ON_BUN, argv: [`${workshop}/empty`], size: 0, empty: EMPTY_ON_BUN });
  for (const { name, checks } of [{ name: "", checks: ["-c", "true"] }, ...more]) {
    ways.push({
      name: name === "" ? "Bun, executable" : `Bun, executable, ${name}`,
      argv: [absolute(executable), ...argsWith(checks)],
      size: SIZE,
      empty: EMPTY_ON_BUN,
    });
  }
  return ways;
}

function absolute(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    throw new BuildError(`${path}: ${(error as Error).message}`);
  }
}

function startSpawner(): { run(way: Way, together: number): Promise<Figures[]>; stop(): Promise<void> } {
  const child = new Deno.Command("python3", {
    args: [`${ROOT}scripts/bench_spawn.py`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = readLines(child.stdout);
  return {
    run: async ({ argv, size }, together) => {
      await writer.write(new TextEncoder().encode(`${JSON.stringify({ argv, size, together })}\n`));
      const { value } = await lines.next();
      const results = JSON.parse(value ?? '["python3 has ended"]') as (Figures | string)[];
      const failure = results.find((result) => typeof result === "string");
      if (failure !== undefined) throw new BuildError(failure);
      return results as Figures[];
    },
    stop: async () => {
      await writer.close().catch(() => {});
      await child.status;
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}

function print(ways: readonly Way[], together: number, figures: ReadonlyMap<string, Figures[]>): void {
  const of = (name: string, figure: 0 | 1 | 2) =>
    median(figures.get(`${name} ${together}`)!.map((figures) => figures[figure]));
  console.log(together === 1 ? "one at a time" : `\n${together} at a time`);
  console.log(`${"".padEnd(34)} wall ms  ratio   CPU ms  ratio   peak MB  ratio`);
  for (const { name, empty } of ways) {
    const columns = ([0, 1, 2] as const).map((figure) => {
      const [value, base] = [of(name, figure), of(empty, figure)];
      return `${value.toFixed(1).padStart(8)} ${(value / base).toFixed(2).padStart(6)}`;
    });
    console.log(`${name.padEnd(34)}${columns.join("  ")}`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function note(text: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}
