// A bare relay on each runtime (bare.ts), as ways: a bound for what postprox can reach there.

import { freePort } from "../../tests/rig/ports.ts";
import { startServer } from "./bed.ts";
import type { Bench } from "./group.ts";
import type { Way } from "./way.ts";

export async function startBareRelays({ programs, sink, compiled }: Bench): Promise<Way[]> {
  const ways: Way[] = [];
  for (const { runtime } of programs) {
    const port = await freePort();
    const words = [...await compiled(runtime, "bare.ts"), "relay", String(port), String(sink.port)];
    ways.push(await startServer(bareRelay(runtime), port, words));
  }
  return ways;
}

/** Its name. */
export function bareRelay(runtime: string): string {
  return `bare relay, ${runtime}`;
}
