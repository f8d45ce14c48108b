// Listen mode with a filter that does nothing, beside what that costs at the least: the same without a filter, and a bare
// start of /bin/true by the same runtime.

import { startCounted } from "./bare_programs.ts";
import { startProxy } from "./bed.ts";
import { ratios, takeTurns, warmUp } from "./compare.ts";
import { costOf } from "./cost.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Bench, Group, Program } from "./group.ts";
import { formatSpread } from "./numbers.ts";
import { proxsmtpWithFile } from "./peers/proxsmtp.ts";

const AT_MOST = 1.4;

/** Something that is measured: the milliseconds of processor time for a message or a start. */
interface Measured {
  readonly name: string;
  readonly isOurs: boolean;
  /** It costs so little that it is done so many times as often. */
  readonly times: number;
  readonly measure: (count: number) => Promise<number>;
  readonly stop: () => Promise<void>;
}

export const command: Group = {
  name: "command",
  title: "Listen mode with a filter command",
  packages: ["postfix", "proxsmtp"],
  run: async (bench) => {
    const all = await startAll(bench);
    const count = bench.pick(400, 20);
    const turn = ({ measure, times }: Measured) => measure(count * times);
    await warmUp(all, turn, bench);
    const values = await takeTurns(all, turn, bench.pick(5, 1));
    for (const { stop } of all) await stop();
    const of = (name: string) => values[all.findIndex((one) => one.name === name)]!;
    const claims = bench.programs.map(({ runtime }): Claim => {
      const { none, bare, bareFilter, filter } = namesOf(runtime);
      const withNone = (name: string) => of(none).map((cost, round) => cost + of(name)[round]!);
      const least = withNone(bare);
      return {
        what: `listen mode on ${runtime}, \`-c /bin/true\`: CPU beside no filter + a bare start of \`/bin/true\``,
        values: ratios(of(filter), least),
        unit: "times",
        wanted: { atMost: AT_MOST },
        bound: `no filter + a bare filter on ${runtime}: ${formatSpread(ratios(withNone(bareFilter), least))} times`,
      };
    });
    return [{
      kind: "bars",
      id: "command",
      title: "Processor time for a message with a filter that does nothing",
      about:
        "Messages of 5 kB on 10 connections. A bare start is a program that starts `/bin/true` and waits for its end, ten " +
        "at a time. A bare filter has what a filter must have, too: the message in a file, an empty file for its own " +
        "version, a file of the recipients, a mark of use, a pipe as its standard error, and a process group, so that all " +
        "that it starts can be killed (`scripts/bench/bare/`).",
      unit: "ms of CPU for a message",
      better: "less",
      claims,
      bars: all.map(({ name, isOurs }, at): Bar => ({ name, isOurs, values: values[at]! })),
    }];
  },
};

const namesOf = (runtime: string) => ({
  none: `postprox, ${runtime}, no filter`,
  bare: `bare start, ${runtime}`,
  bareFilter: `bare filter, ${runtime}`,
  filter: `postprox, ${runtime}, -c /bin/true`,
});

async function startAll(bench: Bench): Promise<Measured[]> {
  const all: Measured[] = [];
  for (const program of bench.programs) {
    const { none, bare, bareFilter, filter } = namesOf(program.runtime);
    all.push(await startOurs(bench, program, { name: none, options: [], times: 4 }));
    const start = await bench.compiled(program.runtime, "bare/start.ts");
    all.push(startBare(bare, start));
    all.push(startBare(bareFilter, [...start, bench.directory]));
    all.push(await startOurs(bench, program, { name: filter, options: ["-c", "/bin/true"], times: 1 }));
  }
  const way = await proxsmtpWithFile.start(bench.directory, bench.sink.port);
  if (!way) bench.note(`proxsmtp is left out: apt-get install ${proxsmtpWithFile.package}`);
  for (const other of way ? [way] : []) {
    // It is slow: it lets a client wait for each message.
    const measure = async (count: number) => await cpu(other, Math.ceil(count));
    all.push({ name: other.name, times: 0.5, isOurs: false, stop: other.stop, measure });
  }
  return all;
}

async function startOurs(
  { sink, directory }: Bench,
  { words }: Program,
  { name, options, times }: { name: string; options: readonly string[]; times: number },
): Promise<Measured> {
  const way = await startProxy(sink.port, ["-d", directory, ...options], words);
  return { name, times, isOurs: true, stop: way.stop, measure: async (count) => await cpu(way, count) };
}

async function cpu(way: Parameters<typeof costOf>[0], count: number): Promise<number> {
  return (await costOf(way, { size: 5_000, count, connections: 10 })).cpu;
}

function startBare(name: string, words: readonly string[]): Measured {
  const { run, stop } = startCounted(words);
  return { name, times: 2, isOurs: false, stop, measure: async (count) => (await run(count)).cpu };
}
