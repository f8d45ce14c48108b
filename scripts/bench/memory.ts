// The memory of listen mode: many large messages at once, and connections that are open and say nothing.

import { send, type Server, startProxy } from "./bed.ts";
import { takeTurns } from "./compare.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Group } from "./group.ts";

const LARGE = { size: 25_000_000, count: 50, connections: 50 };
const IDLE = 500;
/** KiB by which the memory of a process may change in a second when it does nothing. */
const SETTLED = 64;
const WANTED = { large: { atMost: 100 }, idle: { atMost: 16 } };

export const memory: Group = {
  name: "memory",
  title: "Memory",
  packages: ["postfix"],
  run: async (bench) => {
    const large = { ...LARGE, size: bench.pick(LARGE.size, 100_000), count: bench.pick(LARGE.count, 5) };
    const idle = bench.pick(IDLE, 20);
    const found = await takeTurns(bench.programs, async ({ words }) => {
      // A new process for each figure: memory that was used once stays with a process.
      const figures: number[] = [];
      for (
        const measure of [
          (server: Server) => addedByLarge(server, large),
          (server: Server) => addedByIdle(server, idle),
        ]
      ) {
        const options = ["-d", bench.directory, "--max-clients", String(IDLE + 100)];
        const server = await startProxy(bench.sink.port, options, words);
        await send(server.port, { size: 5_000, count: bench.pick(2_000, 20), connections: 10 });
        if (!bench.isShort) await settled(server);
        figures.push(await measure(server));
        await server.stop();
      }
      return figures;
    }, bench.pick(3, 1));
    const valuesOf = (program: number, figure: number) => found[program]!.map((figures) => figures[figure]!);
    const bars = (figure: number) =>
      bench.programs.map(({ runtime }, program): Bar => ({
        name: `postprox, ${runtime}`,
        values: valuesOf(program, figure),
        isOurs: true,
      }));
    const claims = (figure: number, what: string, { unit, wanted }: { unit: string; wanted: { atMost: number } }) =>
      bench.programs.map(({ runtime }, program): Claim => ({
        what: `listen mode on ${runtime}: ${what}`,
        values: valuesOf(program, figure),
        unit,
        wanted,
      }));
    return [
      {
        kind: "bars",
        id: "memory-large",
        title: "Memory that 50 messages of 25 MB at once add",
        about:
          "Without a filter, after 2,000 messages of 5 kB. The figure is the highest resident memory meanwhile, less that before.",
        unit: "MB",
        better: "less",
        claims: claims(0, "memory added by 50 messages of 25 MB at once", { unit: "MB", wanted: WANTED.large }),
        bars: bars(0),
      },
      {
        kind: "bars",
        id: "memory-idle",
        title: "Memory of an idle connection",
        about:
          `${IDLE} clients were greeted and say nothing. Each of them has a connection to the server behind postprox, too.`,
        unit: "KiB for a connection",
        better: "less",
        claims: claims(1, "memory of an idle connection", { unit: "KiB", wanted: WANTED.idle }),
        bars: bars(1),
      },
    ];
  },
};

/** MB. */
async function addedByLarge({ pid, port }: Server, load: typeof LARGE): Promise<number> {
  const before = kibOf(pid, "VmRSS");
  // From now on VmHWM is the highest value since now (proc(5)).
  Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5");
  await send(port, load);
  return (kibOf(pid, "VmHWM") - before) * 1024 / 1e6;
}

/** KiB for each. */
async function addedByIdle({ pid, port }: Server, count: number): Promise<number> {
  const before = kibOf(pid, "VmRSS");
  const clients: Deno.TcpConn[] = [];
  try {
    for (let number = 0; number < count; number++) {
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      clients.push(client);
      await client.read(new Uint8Array(1024));
    }
    return (kibOf(pid, "VmRSS") - before) / count;
  } finally {
    for (const client of clients) client.close();
  }
}

/** Waits until the process has given back what it needed for the mail before. */
async function settled({ pid }: Server): Promise<void> {
  let before = Infinity;
  for (let looks = 0; looks < 10; looks++) {
    const now = kibOf(pid, "VmRSS");
    if (Math.abs(before - now) < SETTLED) return;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

function kibOf(pid: number, field: "VmRSS" | "VmHWM"): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
}
