// How the cost of a message grows: with its size, its recipients, the connections, the workers, and the messages of a session.

import { type Load, send, type Server, startProxy } from "./bed.ts";
import { takeTurns } from "./compare.ts";
import { costOf } from "./cost.ts";
import type { Line, Lines } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import type { Way } from "./way.ts";

/** The kinds of growth. Each `measure` sends a load of its own for a place on the horizontal axis. */
interface Growth {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly x: Lines["x"];
  readonly unit: string;
  readonly better: "less" | "more";
  readonly places: readonly number[];
  /** Further options of postprox at a place. Without it, one process is measured at all places. */
  readonly options?: (x: number) => readonly string[];
  readonly measure: (way: Way, x: number) => Promise<number>;
}

const cpu = async (way: Way, load: Load) => (await costOf(way, load)).cpu;

export const growth: Group = {
  name: "growth",
  title: "How the cost grows",
  packages: ["postfix"],
  run: async (bench) => {
    const parts: Lines[] = [];
    for (const one of kindsFor(bench)) {
      bench.note(one.title);
      parts.push(await measureGrowth(bench, one));
    }
    return parts;
  },
};

/** In the short form only the ends of each axis are measured, with little load. */
function kindsFor(bench: Bench): Growth[] {
  const places = (whole: readonly number[], short: readonly number[]) => bench.pick(whole, short);
  const count = (whole: number) => bench.pick(whole, 10);
  const size = 5_000;
  return [
    {
      id: "growth-size",
      title: "Processor time by the size of a message",
      about: "One connection, no filter, on the left with many messages and on the right with a few.",
      x: { title: "size of a message", isSize: true },
      unit: "ms of CPU for a message",
      better: "less",
      places: places([1e3, 1e4, 1e5, 1e6, 1e7, 1e8], [1e3, 1e5]),
      measure: (way, x) =>
        cpu(way, { size: x, count: Math.min(count(5_000), Math.ceil(2e8 / x)), connections: 1, keepsOpen: true }),
    },
    {
      id: "growth-recipients",
      title: "Processor time by the recipients of a message",
      about: "Messages of 5 kB on 10 connections, no filter. Each recipient is a command and a reply.",
      x: { title: "recipients", isSize: false },
      unit: "ms of CPU for a message",
      better: "less",
      places: places([1, 10, 100, 1_000], [1, 100]),
      measure: (way, x) =>
        cpu(way, { size, count: Math.min(count(1_500), Math.ceil(2e4 / x)), connections: 10, recipients: x }),
    },
    {
      id: "growth-connections",
      title: "Processor time by the connections at a time",
      about: "Messages of 5 kB, one for each connection, no filter.",
      x: { title: "connections at a time", isSize: false },
      unit: "ms of CPU for a message",
      better: "less",
      places: places([1, 5, 20, 100, 500], [1, 20]),
      options: () => ["--max-clients", "1000"],
      measure: (way, x) => cpu(way, { size, count: Math.max(count(1_500), x), connections: x }),
    },
    {
      id: "growth-messages",
      title: "Processor time by the messages of a session",
      about:
        "Messages of 5 kB on 10 connections, no filter. A session begins with a connection to the server behind postprox.",
      x: { title: "messages of a session", isSize: false },
      unit: "ms of CPU for a message",
      better: "less",
      places: places([1, 10, 100], [1, 10]),
      measure: async (way, x) => {
        const { processorTime = () => 0 } = way;
        const before = processorTime();
        const sessions = Math.max(1, Math.round(count(4_000) / (10 * x)));
        for (let number = 0; number < sessions; number++) {
          await send(way.port, { size, count: 10 * x, connections: 10, keepsOpen: true });
        }
        return (processorTime() - before) / (sessions * 10 * x);
      },
    },
    {
      id: "growth-workers",
      title: "Messages a second by the number of workers",
      about:
        "Messages of 5 kB on 20 connections, no filter. The client and the server share the processors with the workers.",
      x: { title: "workers", isSize: false },
      unit: "messages a second",
      better: "more",
      places: places([1, 2, 3, 4], [1, 2]),
      options: (x) => [`--workers=${x}`],
      measure: async (way) => (await costOf(way, { size, count: count(3_000), connections: 20 })).rate,
    },
  ];
}

async function measureGrowth(bench: Bench, one: Growth): Promise<Lines> {
  const { id, title, about, x, unit, better, places, options, measure } = one;
  const cases: { way: Server; runtime: string; place: number }[] = [];
  for (const { runtime, words } of bench.programs) {
    const start = (more: readonly string[]) => startProxy(bench.sink.port, ["-d", bench.directory, ...more], words);
    // Workers are an option of the process. All else is a matter of the load.
    const isSame = !options || options(places[0]!).join() === options(places.at(-1)!).join();
    const shared = isSame ? await start(options?.(0) ?? []) : undefined;
    for (const place of places) cases.push({ way: shared ?? await start(options!(place)), runtime, place });
  }
  // The compilers of the runtimes need some mail.
  for (const { way } of cases) await send(way.port, { size: 5_000, count: bench.pick(500, 5), connections: 10 });
  const values = await takeTurns(cases, ({ way, place }) => measure(way, place), bench.pick(3, 1));
  for (const { way } of cases) await way.stop();
  const lines = bench.programs.map(({ runtime }): Line => ({
    name: `postprox, ${runtime}`,
    points: cases.flatMap((one, at) => one.runtime === runtime ? [{ x: one.place, values: values[at]! }] : []),
  }));
  return { kind: "lines", id, title, about, x, unit, better, claims: [], lines };
}
