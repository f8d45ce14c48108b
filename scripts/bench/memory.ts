// The memory of listen mode: many large messages at once, and connections that are open and say nothing.

import { bareRelayName, startBareRelay } from "./bare_programs.ts";
import { send, type Server, startProxy } from "./bed.ts";
import { takeTurns } from "./compare.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import { formatNumber, formatSpread } from "./numbers.ts";

const LARGE = { size: 25_000_000, count: 50, connections: 50 };
// V8 keeps new objects in a space of its own. It grows in steps to some 50 MB, and stays so large. With few connections the
// figure would be that of a step that came, or did not come.
const IDLE = 3_000;
/** Milliseconds in which the memory comes to rest. Every 5 s each session says NOOP, and that leaves garbage to collect. */
const REST = 20_000;
/** Octets in which a bare relay waits for more. */
const SMALL_ROOM = 512;
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
    const ours = bench.programs.map(({ runtime, words }): Measured => ({
      name: ourName(runtime),
      isOurs: true,
      start: () => {
        const options = ["-d", bench.directory, "--max-clients", String(IDLE + 100)];
        return startProxy(bench.sink.port, options, words);
      },
    }));
    const bare = bench.programs.map(({ runtime }): Measured => ({
      name: bareRelayName(runtime),
      isOurs: false,
      start: () => startBareRelay(bench, runtime, { downstream: bench.sink.port, room: SMALL_ROOM }),
    }));
    const addedLarge = await measureAll(bench, ours, (server) => addedByLarge(server, large));
    const addedIdle = await measureAll(bench, [...ours, ...bare], (server) => addedByIdle(bench, server, idle));
    return [
      {
        kind: "bars",
        id: "memory-large",
        title: "Memory that 50 messages of 25 MB at once add",
        about:
          "Without a filter, after 2,000 messages of 5 kB. The figure is the highest resident memory meanwhile, less that before.",
        unit: "MB",
        better: "less",
        claims: bench.programs.map(({ runtime }): Claim => ({
          what: `listen mode on ${runtime}: memory added by 50 messages of 25 MB at once`,
          values: valuesOf(addedLarge, ourName(runtime)),
          unit: "MB",
          wanted: WANTED.large,
        })),
        bars: addedLarge,
      },
      {
        kind: "bars",
        id: "memory-idle",
        title: "Memory of an idle connection",
        about:
          `${
            formatNumber(IDLE)
          } clients were greeted and say nothing. Each also has a connection to the server behind ` +
          "postprox. The figure is all memory that the process holds more, 20 s later. On Deno it includes the growth of V8's " +
          "space for new objects, which the NOOPs of the keepalive fill. A bare relay has the same connections, waits for " +
          "octets on both in small rooms, and keeps nothing else (`scripts/bench/bare/relay.ts`).",
        unit: "KiB for a connection",
        better: "less",
        claims: bench.programs.map(({ runtime }): Claim => ({
          what: `listen mode on ${runtime}: memory of an idle connection`,
          values: valuesOf(addedIdle, ourName(runtime)),
          unit: "KiB",
          wanted: WANTED.idle,
          bound: `a bare relay on ${runtime}: ${formatSpread(valuesOf(addedIdle, bareRelayName(runtime)))} KiB`,
        })),
        bars: addedIdle,
      },
    ];
  },
};

interface Measured {
  readonly name: string;
  readonly isOurs: boolean;
  readonly start: () => Promise<Server>;
}

const ourName = (runtime: string) => `postprox, ${runtime}`;

function valuesOf(bars: readonly Bar[], name: string): Bar["values"] {
  return bars.find((bar) => bar.name === name)!.values;
}

/** Each value is that of a new process: memory that was used once stays with a process. */
async function measureAll(
  bench: Bench,
  all: readonly Measured[],
  measure: (server: Server) => Promise<number>,
): Promise<Bar[]> {
  const found = await takeTurns(all, async ({ start }) => {
    const server = await start();
    await send(server.port, { size: 5_000, count: bench.pick(2_000, 20), connections: 10 });
    if (!bench.isShort) await settled(server);
    const value = await measure(server);
    await server.stop();
    return value;
  }, bench.pick(3, 1));
  return all.map(({ name, isOurs }, one) => ({ name, isOurs, values: found[one]! }));
}

/** MB. */
async function addedByLarge({ pid, port }: Server, load: typeof LARGE): Promise<number> {
  const before = kibOf(pid, "VmRSS");
  // From now on VmHWM is the highest value since now (proc(5)).
  Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5");
  await send(port, load);
  return (kibOf(pid, "VmHWM") - before) * 1024 / 1e6;
}

/** KiB for each. */
async function addedByIdle(bench: Bench, { pid, port }: Server, count: number): Promise<number> {
  const before = kibOf(pid, "VmRSS");
  const clients: Deno.TcpConn[] = [];
  try {
    for (let number = 0; number < count; number++) {
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      clients.push(client);
      await hearGreeting(client);
    }
    if (!bench.isShort) await new Promise((resolve) => setTimeout(resolve, REST));
    return (kibOf(pid, "VmRSS") - before) / count;
  } finally {
    for (const client of clients) client.close();
  }
}

/** Throws if the client is turned away: such a connection costs nothing. */
async function hearGreeting(client: Deno.TcpConn): Promise<void> {
  const room = new Uint8Array(1024);
  const greeting = new TextDecoder().decode(room.subarray(0, await client.read(room) ?? 0));
  if (!greeting.startsWith("220")) throw new Error(`an idle client is greeted with: ${greeting}`);
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
