// Spawn mode, where each message is a process, beside an empty program of the same runtime.
//
// A process starts as Postfix's spawn(8) starts it, and gets one whole message of 5 kB. spawner.py does that, because it can
// tell the processor time and the page faults of one process and its children.

import { formatSpread } from "./numbers.ts";
import { ratios, takeTurns, type Values } from "./compare.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import { type Spawnable, type Spawned, Spawner } from "./spawner.ts";

const TOGETHER = 10;
const SIZE = 5_000;

/** The targets for each runtime. */
const WANTED = {
  Bun: { cpu: { atMost: 1.6 }, faults: { atMost: 450 } },
  Deno: { cpu: { atMost: 1.45 } },
};

interface Started extends Spawnable {
  readonly name: string;
}

type Figures = { readonly alone: Spawned; readonly together: Spawned };

export const spawn: Group = {
  name: "spawn",
  title: "Spawn mode: a process for each message",
  packages: [],
  run: async (bench) => {
    const programs = await programsOf(bench);
    await using spawner = new Spawner();
    // The executables of Bun have 90 MB each. What they cost depends on how the page cache got them.
    const executables = programs.map(({ argv }) => argv[0]!).filter((path) => path !== Deno.execPath());
    await spawner.readAnew([...new Set(executables)]);
    const measure = async (program: Started): Promise<Figures> => ({
      alone: mean(await spawner.run(program, 1)),
      together: mean(await spawner.run(program, bench.pick(TOGETHER, 2))),
    });
    for (const program of programs) await measure(program);
    const figures = await takeTurns(programs, measure, bench.pick(15, 1));

    const at = (name: string) => programs.findIndex((program) => program.name === name);
    const valuesOf = (program: number, how: keyof Figures, what: keyof Spawned) =>
      figures[program]!.map((figures) => figures[how][what]);
    const barsOf = (how: keyof Figures, what: keyof Spawned): Bar[] =>
      programs.map(({ name }, program) => ({
        name,
        values: valuesOf(program, how, what),
        isOurs: name.startsWith("postprox"),
      }));
    const cpuClaims = bench.programs.map(({ runtime }): Claim => {
      const beside: Values = valuesOf(at(emptyOf(runtime)), "alone", "cpu");
      return {
        what: `spawn mode on ${runtime}, \`-c /bin/true\`: CPU beside an empty program of ${runtime}`,
        values: ratios(valuesOf(at(ourName(runtime)), "alone", "cpu"), beside),
        unit: "times",
        wanted: WANTED[runtime].cpu,
        bound: `a bare program on ${runtime}: ${
          formatSpread(ratios(valuesOf(at(bareOf(runtime)), "alone", "cpu"), beside))
        } times`,
      };
    });
    const faultClaims = bench.programs.flatMap(({ runtime }): Claim[] => {
      if (runtime !== "Bun") return [];
      const faultsOf = (name: string) => valuesOf(at(name), "alone", "faults");
      return ([["", (name) => name], [", with huge pages", huge]] as [string, typeof huge][]).map(([how, named]) => ({
        what: `spawn mode on Bun, \`-c /bin/true\`${how}: page faults`,
        values: faultsOf(named(ourName(runtime))),
        unit: "faults",
        wanted: WANTED.Bun.faults,
        bound: `a bare program${how}: ${formatSpread(faultsOf(named(bareOf(runtime))))}`,
      }));
    });
    return [
      {
        kind: "bars",
        id: "spawn-cpu",
        title: "Processor time of a process that carries one message",
        about:
          "A message of 5 kB with `-c /bin/true`. On Bun, postprox is the executable; on Deno, it is the bundle. The " +
          "empty programs of the two runtimes are made and started in the same way. So are the bare programs, which pass the " +
          "message on and run `/bin/true` with it (`scripts/bench/bare/message.ts`): they are the least that a runtime can " +
          "do. They know nothing of SMTP, and have no limits, no log and no answer to a failure. The environment is what Postfix's " +
          "spawn(8) leaves. Huge pages come with `MIMALLOC_ALLOW_THP=1` in it, and `MIMALLOC_PURGE_DELAY=-1`, as the README " +
          "says. The time of the filter counts. All executables of Bun were read into the page cache anew before the first " +
          "round.",
        unit: "ms of CPU",
        better: "less",
        claims: cpuClaims,
        bars: barsOf("alone", "cpu"),
      },
      {
        kind: "bars",
        id: "spawn-faults",
        title: "Page faults of a process that carries one message",
        about: "The same run. On virtual machines a page fault may cost 12 to 17 µs. Then faults are most of the cost.",
        unit: "page faults",
        better: "less",
        claims: faultClaims,
        bars: barsOf("alone", "faults"),
      },
      {
        kind: "bars",
        id: "spawn-together",
        title: "Time of a message when ten processes start at once",
        about:
          `The same run. ${TOGETHER} processes start at the same time, and each gets a message. The figure is the time ` +
          "from the start to the end of a process, the mean of the ten.",
        unit: "ms, from start to end",
        better: "less",
        claims: [],
        bars: barsOf("together", "wall"),
      },
    ];
  },
};

const huge = (name: string) => `${name}, huge pages`;
const bareOf = (runtime: string) => `bare program, ${runtime}`;
const emptyOf = (runtime: string) => `empty program, ${runtime}`;
const ourName = (runtime: string) => `postprox, ${runtime}`;

async function programsOf(bench: Bench): Promise<Started[]> {
  const args = [`127.0.0.1:${bench.sink.port}`, "-c", "/bin/true", "-d", bench.directory];
  const programs: Started[] = [];
  for (const { runtime, words } of bench.programs) {
    programs.push({ name: emptyOf(runtime), argv: await bench.empty(runtime), size: 0 });
    const bareWords = await bench.compiled(runtime, "bare/message.ts");
    const bare = { argv: [...bareWords, String(bench.sink.port), bench.directory], size: SIZE };
    const ours = { argv: [...words, ...args], size: SIZE };
    programs.push({ ...bare, name: bareOf(runtime) }, { ...ours, name: ourName(runtime) });
    if (runtime !== "Bun") continue;
    const env = { MIMALLOC_ALLOW_THP: "1", MIMALLOC_PURGE_DELAY: "-1" };
    programs.push({ ...bare, env, name: huge(bareOf(runtime)) }, { ...ours, env, name: huge(ourName(runtime)) });
  }
  return [...programs, ...bench.spawned.map(({ name, argv }) => ({ name, argv, size: SIZE }))];
}

/** One process is not like the other, so a round has the mean of those that started together. */
function mean(processes: readonly Spawned[]): Spawned {
  const of = (what: keyof Spawned) => processes.reduce((sum, one) => sum + one[what], 0) / processes.length;
  return { wall: of("wall"), cpu: of("cpu"), faults: of("faults"), memory: of("memory") };
}
