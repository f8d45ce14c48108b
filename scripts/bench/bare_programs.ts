// The bare programs of the folder bare/, on each runtime: bounds for what postprox can reach there.

import { freePort } from "../../tests/rig/ports.ts";
import { end, type Server, startProgram, startServer } from "./bed.ts";
import type { Bench, Program } from "./group.ts";
import { processorTime } from "./processor_time.ts";
import type { Peer, Way } from "./way.ts";

type Compiled = Pick<Bench, "compiled">;

/** Starts a bare relay, which passes octets on to a port of 127.0.0.1. `room` is the most that it reads at a time. */
export async function startBareRelay(
  { compiled }: Compiled,
  runtime: Program["runtime"],
  { downstream, room }: { readonly downstream: number; readonly room?: number },
): Promise<Server> {
  const sizes = room === undefined ? [] : [room];
  return await startAtPort(bareRelayName(runtime), await compiled(runtime, "bare/relay.ts"), [downstream, ...sizes]);
}

/** Starts a bare program whose first word is the port that it listens at. */
async function startAtPort(name: string, program: readonly string[], rest: readonly unknown[]): Promise<Server> {
  const port = await freePort();
  return await startServer(name, port, [...program, ...[port, ...rest].map(String)]);
}

export function bareRelayName(runtime: string): string {
  return `bare relay, ${runtime}`;
}

export function bareRelay(bench: Compiled, runtime: Program["runtime"]): Peer {
  return {
    name: bareRelayName(runtime),
    package: "postprox",
    start: (_directory, downstream) => startBareRelay(bench, runtime, { downstream }),
  };
}

export function bareScannerName(runtime: string): string {
  return `bare relay that asks clamd, ${runtime}`;
}

/** A relay that asks the clamd at the unix socket `path` about each message, and can do nothing else (bare/scan.ts). */
export function bareScanner({ compiled }: Compiled, runtime: Program["runtime"], path: string): Peer {
  const name = bareScannerName(runtime);
  return {
    name,
    package: "postprox",
    start: async (_directory, downstream) =>
      await startAtPort(name, await compiled(runtime, "bare/scan.ts"), [downstream, path]),
  };
}

/** A bare relay on each runtime. */
export async function startBareRelays(bench: Bench): Promise<Way[]> {
  const ways: Way[] = [];
  for (const { runtime } of bench.programs) {
    ways.push(await startBareRelay(bench, runtime, { downstream: bench.sink.port }));
  }
  return ways;
}

/** A bare program that does something as often as it is told (bare/counts.ts). */
export interface Counted {
  /** Does it so often. In milliseconds for each. */
  run(count: number): Promise<{ readonly wall: number; readonly cpu: number }>;
  readonly stop: () => Promise<void>;
}

export function startCounted(words: readonly string[]): Counted {
  const child = startProgram(words, { talks: true });
  const writer = child.stdin.getWriter();
  const reader = child.stdout.getReader();
  return {
    run: async (count) => {
      const [start, before] = [performance.now(), processorTime([child.pid])];
      await writer.write(new TextEncoder().encode(`${count}\n`));
      if ((await reader.read()).done) throw new Error(`${words.join(" ")} has ended`);
      return { wall: (performance.now() - start) / count, cpu: (processorTime([child.pid]) - before) / count };
    },
    stop: async () => {
      await writer.close();
      await reader.cancel();
      await end(child);
    },
  };
}
