// Messages of 20 MB, beside the same program that writes nothing.
//
// The program has no switch for that. unwritten.ts makes another program of the same source, whose spool files are in no
// file system. A spool in a file system in memory is measured, too: there the octets are copied, and no disk takes part.

import { startProxy } from "./bed.ts";
import { ratios, takeTurns } from "./compare.ts";
import { costOf, valuesOf } from "./cost.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Group } from "./group.ts";
import type { Way } from "./way.ts";

const SIZE = 20_000_000;
const MEMORY = "/dev/shm";
const DIRECT = "direct, no proxy";
const AT_LEAST = 0.97;

export const large: Group = {
  name: "large",
  title: "Large messages",
  packages: ["postfix"],
  run: async (bench) => {
    const inMemory = await Deno.makeTempDir({ dir: MEMORY, prefix: "postprox-bench-" });
    try {
      const ways: Way[] = [{ ...bench.sink, name: DIRECT }];
      for (const { runtime, words } of bench.programs) {
        const unwritten = await bench.compiled(runtime, `unwritten_${runtime.toLowerCase()}.ts`);
        const { written, memory, nothing } = namesOf(runtime);
        for (
          const [name, words_, spool] of [
            [written, words, bench.directory],
            [memory, words, inMemory],
            [nothing, unwritten, bench.directory],
          ] as const
        ) {
          ways.push({ ...await startProxy(bench.sink.port, ["-d", spool], words_), name });
        }
      }
      ways.push(...bench.others);
      const load = { size: SIZE, count: bench.pick(8, 1), connections: 1 };
      for (const way of ways) await costOf(way, load);
      const costs = await takeTurns(ways, (way) => costOf(way, load), bench.pick(7, 1));
      for (const way of ways) if (way.name !== DIRECT) await way.stop();

      const at = (name: string) => ways.findIndex((way) => way.name === name);
      const rate = costs.map((some) => valuesOf(some, "rate").map((rate) => rate * SIZE / 1e6));
      const cpu = costs.map((some) => valuesOf(some, "cpu"));
      const isOurs = (name: string) => name.startsWith("postprox") && !name.endsWith("nothing written");
      return [
        {
          kind: "bars",
          id: "large-rate",
          title: "Messages of 20 MB, one after the other",
          about:
            "One connection. The third program of each runtime is made of the same source, and its spool files keep nothing " +
            "(`scripts/bench/unwritten.ts`). The second has its spool in a file system in memory (`/dev/shm`).",
          unit: "MB a second",
          better: "more",
          claims: bench.programs.map(({ runtime }): Claim => {
            const { written, nothing } = namesOf(runtime);
            return {
              what: `20 MB through listen mode on ${runtime}: rate beside the same program with nothing written`,
              values: ratios(rate[at(written)]!, rate[at(nothing)]!),
              unit: "times",
              wanted: { atLeast: AT_LEAST },
            };
          }),
          bars: ways.map(({ name }, way): Bar => ({ name, values: rate[way]!, isOurs: isOurs(name) })),
        },
        {
          kind: "bars",
          id: "large-cpu",
          title: "Processor time of postprox for a message of 20 MB",
          about: "The same run.",
          unit: "ms of CPU for a message",
          better: "less",
          claims: [],
          bars: ways.flatMap(({ name, processorTime }, way): Bar[] =>
            processorTime && name !== DIRECT ? [{ name, values: cpu[way]!, isOurs: isOurs(name) }] : []
          ),
        },
      ];
    } finally {
      await Deno.remove(inMemory, { recursive: true });
    }
  },
};

const namesOf = (runtime: string) => ({
  written: `postprox, ${runtime}`,
  memory: `postprox, ${runtime}, spool in memory`,
  nothing: `${runtime}, nothing written`,
});
