// Listen mode with a filter that does nothing, beside what that costs at the least: the same without a filter, and a bare
// start of /bin/true by the same runtime.

import { startCounted } from "./bare_programs.ts";
import { startProxy } from "./bed.ts";
import { ratios, takeWarmTurns } from "./compare.ts";
import { costOf } from "./cost.ts";
import { type FileSystem, onFileSystems } from "./file_systems.ts";
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
  run: (bench) =>
    onFileSystems(bench, async (systems) => {
      const claims: Claim[] = [];
      const bars: Bar[] = [];
      // Only what is compared takes turns: so the rounds are short, and a disk that writes late does not disturb the others.
      for (const program of bench.programs) {
        for (const system of systems) {
          const some = await measureAll(bench, await startAll(bench, program, system));
          claims.push(claimOf(program.runtime, system.name, some));
          bars.push(...some.filter(({ name }) => !bars.some((bar) => bar.name === name)));
        }
      }
      bars.push(...await measureAll(bench, await startOthers(bench)));
      return [{
        kind: "bars",
        id: "command",
        title: "Processor time for a message with a filter that does nothing",
        about:
          "Messages of 5 kB on 10 connections. A bare start is a program that starts `/bin/true` and waits for its end, ten " +
          "at a time. A bare filter has what a filter must have, too: the message in a file, an empty file for its own " +
          "version, a file of the recipients, a mark of use for all ten, a pipe as its standard error, and a process group, " +
          "so that all that it starts can be killed (`scripts/bench/bare/`). The files are in memory, as `/tmp` is on many " +
          "systems, on the file system of this machine, and on ext4 with its journal. ext4 without a journal makes new files " +
          "slowly: the kernel avoids the inodes of files that were removed in the last minutes, and it looks at each of them. " +
          "No filter and the bare start are measured with each of them, and the bars show the first.",
        unit: "ms of CPU for a message",
        better: "less",
        claims,
        bars,
      }];
    }),
};

async function measureAll(bench: Bench, all: readonly Measured[]): Promise<Bar[]> {
  const count = bench.pick(500, 20);
  const turn = ({ measure, times }: Measured) => measure(count * times);
  const values = await takeWarmTurns(all, turn, { rounds: bench.pick(7, 1), isShort: bench.isShort });
  for (const { stop } of all) await stop();
  return all.map(({ name, isOurs }, at) => ({ name, isOurs, values: values[at]! }));
}

function claimOf(runtime: string, system: string, bars: readonly Bar[]): Claim {
  const { none, bare, bareFilter, filter } = namesOf(runtime, system);
  const of = (name: string) => bars.find((bar) => bar.name === name)!.values;
  const withNone = (name: string) => of(none).map((cost, round) => cost + of(name)[round]!);
  const least = withNone(bare);
  return {
    what: `listen mode on ${runtime}, \`-c /bin/true\`, spool on ${system}: CPU beside no filter + a bare start of ` +
      "`/bin/true`",
    values: ratios(of(filter), least),
    unit: "times",
    wanted: { atMost: AT_MOST },
    bound: `no filter + a bare filter on ${runtime}: ${formatSpread(ratios(withNone(bareFilter), least))} times`,
  };
}

const namesOf = (runtime: string, system = "") => ({
  none: `postprox, ${runtime}, no filter`,
  bare: `bare start, ${runtime}`,
  bareFilter: `bare filter, ${runtime}, ${system}`,
  filter: `postprox, ${runtime}, -c /bin/true, ${system}`,
});

async function startAll(bench: Bench, program: Program, { directory, name }: FileSystem): Promise<Measured[]> {
  const { none, bare, bareFilter, filter } = namesOf(program.runtime, name);
  const start = await bench.compiled(program.runtime, "bare/start.ts");
  const options = ["-d", directory, "-c", "/bin/true"];
  return [
    await startOurs(bench, program, { name: none, options: [], times: 4 }),
    startBare(bare, start),
    startBare(bareFilter, [...start, directory]),
    await startOurs(bench, program, { name: filter, options, times: 1 }),
  ];
}

async function startOthers(bench: Bench): Promise<Measured[]> {
  const way = await proxsmtpWithFile.start(bench.directory, bench.sink.port);
  if (!way) bench.note(`proxsmtp is left out: apt-get install ${proxsmtpWithFile.package}`);
  // It is slow: it lets a client wait for each message.
  return (way ? [way] : []).map((other): Measured => ({
    name: other.name,
    times: 0.5,
    isOurs: false,
    stop: other.stop,
    measure: async (count) => await cpu(other, Math.ceil(count)),
  }));
}

async function startOurs(
  { sink }: Bench,
  { words }: Program,
  { name, options, times }: { name: string; options: readonly string[]; times: number },
): Promise<Measured> {
  const way = await startProxy(sink.port, options, words);
  return { name, times, isOurs: true, stop: way.stop, measure: async (count) => await cpu(way, count) };
}

async function cpu(way: Parameters<typeof costOf>[0], count: number): Promise<number> {
  return (await costOf(way, { size: 5_000, count, connections: 10 })).cpu;
}

function startBare(name: string, words: readonly string[]): Measured {
  const { run, stop } = startCounted(words);
  return { name, times: 2, isOurs: false, stop, measure: async (count) => (await run(count)).cpu };
}
