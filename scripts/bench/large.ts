// Messages of 20 MB, beside the same program that writes nothing.
//
// The program has no switch for that. unwritten.ts makes another program of the same source, whose spool files are in no
// file system. A spool in a file system in memory is measured, too: there the octets are copied, and no disk takes part.

import { startCounted } from "./bare_programs.ts";
import { inMemory, startProxy } from "./bed.ts";
import { rateOfBoth, ratios, takeTurns } from "./compare.ts";
import { type Cost, costOf, valuesOf } from "./cost.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import { formatSpread } from "./numbers.ts";
import type { Way } from "./way.ts";

const SIZE = 20_000_000;
const DIRECT = "direct, no proxy";
const AT_LEAST = 0.97;

export const large: Group = {
  name: "large",
  title: "Large messages",
  packages: ["postfix"],
  run: (bench) =>
    inMemory(async (spool) => {
      const all = await startAll(bench, spool);
      const count = bench.pick(8, 1);
      for (const { measure } of all) await measure(count);
      const costs = await takeTurns(all, ({ measure }) => measure(count), bench.pick(7, 1));
      for (const { stop } of all) await stop();

      const at = (name: string) => all.findIndex((one) => one.name === name);
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
            "(`scripts/bench/unwritten.ts`). The second has its spool in a file system in memory (`/dev/shm`). The fourth is a " +
            "bare program that only writes such a file and reads it (`scripts/bench/bare/write.ts`). The bound is the time of " +
            "the third and of the fourth together.",
          unit: "MB a second",
          better: "more",
          claims: bench.programs.map(({ runtime }): Claim => {
            const { written, nothing, file } = namesOf(runtime);
            const unwritten = rate[at(nothing)]!;
            return {
              what: `20 MB through listen mode on ${runtime}: rate beside the same program with nothing written`,
              values: ratios(rate[at(written)]!, unwritten),
              unit: "times",
              wanted: { atLeast: AT_LEAST },
              bound: `a bare program that writes and reads it, and nothing written: ${
                formatSpread(ratios(rateOfBoth(unwritten, rate[at(file)]!), unwritten))
              } times`,
            };
          }),
          bars: all.map(({ name }, one): Bar => ({ name, values: rate[one]!, isOurs: isOurs(name) })),
        },
        {
          kind: "bars",
          id: "large-cpu",
          title: "Processor time of postprox for a message of 20 MB",
          about: "The same run.",
          unit: "ms of CPU for a message",
          better: "less",
          claims: [],
          bars: all.flatMap(({ name, hasCpu }, one): Bar[] =>
            hasCpu ? [{ name, values: cpu[one]!, isOurs: isOurs(name) }] : []
          ),
        },
      ];
    }),
};

const namesOf = (runtime: string) => ({
  written: `postprox, ${runtime}`,
  memory: `postprox, ${runtime}, spool in memory`,
  nothing: `${runtime}, nothing written`,
  file: `${runtime}, a bare file`,
});

interface Measured {
  readonly name: string;
  /** Its processor time can be told. */
  readonly hasCpu: boolean;
  readonly measure: (count: number) => Promise<Cost>;
  readonly stop: () => Promise<void>;
}

/** Everything that is measured. `memorySpool` is a directory in memory. */
async function startAll(bench: Bench, memorySpool: string): Promise<Measured[]> {
  const { sink, directory, programs, compiled, others } = bench;
  const all = [mailed({ ...sink, name: DIRECT, stop: () => Promise.resolve() }, false)];
  for (const { runtime, words } of programs) {
    const unwritten = await compiled(runtime, `unwritten_${runtime.toLowerCase()}.ts`);
    const { written, memory, nothing, file } = namesOf(runtime);
    for (
      const [name, program, spool] of [
        [written, words, directory],
        [memory, words, memorySpool],
        [nothing, unwritten, directory],
      ] as const
    ) {
      all.push(mailed({ ...await startProxy(sink.port, ["-d", spool], program), name }));
    }
    const bare = startCounted([...await compiled(runtime, "bare/write.ts"), directory, String(SIZE)]);
    const measure = async (count: number) => {
      const { wall, cpu } = await bare.run(count);
      return { cpu, rate: 1000 / wall };
    };
    all.push({ name: file, hasCpu: true, measure, stop: bare.stop });
  }
  return [...all, ...others.map((way) => mailed(way))];
}

function mailed(way: Way, hasCpu = way.processorTime !== undefined): Measured {
  const { name, stop } = way;
  return { name, hasCpu, stop, measure: (count) => costOf(way, { size: SIZE, count, connections: 1 }) };
}
