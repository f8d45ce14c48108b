// The time that listen mode adds to a message: one connection, one message after the other, each of them timed.
//
// The client waits for each reply, because not every proxy here knows PIPELINING. The time of a message goes from MAIL to the
// reply to its final dot: four replies.

import { Asker } from "./asker.ts";
import { bareRelayName, startBareRelays } from "./bare_programs.ts";
import { startProxy } from "./bed.ts";
import { quantile, takeWarmTurns } from "./compare.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Group } from "./group.ts";
import { formatSpread } from "./numbers.ts";
import { clamsmtp } from "./peers/clamsmtp.ts";
import { socat } from "./peers/socat.ts";
import type { Way } from "./way.ts";

const DIRECT = "direct, no proxy";
const WANTED = { p50: { atMost: 0.4 }, p99: { atMost: 1 } };

interface Latency {
  readonly p50: number;
  readonly p99: number;
}

export const latency: Group = {
  name: "latency",
  title: "Added latency",
  packages: ["postfix", "clamsmtp", "socat"],
  run: async (bench) => {
    const ways: Way[] = [{ ...bench.sink, name: DIRECT }];
    for (const { runtime, words } of bench.programs) {
      ways.push({ ...await startProxy(bench.sink.port, ["-d", bench.directory], words), name: `postprox, ${runtime}` });
    }
    for (const peer of [clamsmtp, socat]) {
      const way = await peer.start(bench.directory, bench.sink.port);
      if (way) ways.push(way);
      else bench.note(`${peer.name} is left out: apt-get install ${peer.package}`);
    }
    ways.push(...await startBareRelays(bench), ...bench.others);
    const messages = bench.pick(1_000, 20);
    const turn = ({ port }: Way) => timeMany(port, messages);
    const found = await takeWarmTurns(ways, turn, { rounds: bench.pick(7, 1), isShort: bench.isShort });
    for (const way of ways) if (way.name !== DIRECT) await way.stop();

    const at = (name: string) => ways.findIndex((way) => way.name === name);
    const direct = found[0]!;
    const added = (way: number, what: keyof Latency) =>
      found[way]!.map((latency, round) => latency[what] - direct[round]![what]);
    const bars = (what: keyof Latency) =>
      ways.flatMap(({ name }, way): Bar[] =>
        name === DIRECT ? [] : [{ name, values: added(way, what), isOurs: name.startsWith("postprox") }]
      );
    return ([["p50", "half of the messages add less"], ["p99", "99 of 100 messages add less"]] as const).map((
      [what, words],
    ) => ({
      kind: "bars" as const,
      id: `latency-${what}`,
      title: `Time that is added to a message of 5 kB: ${words}`,
      about: what === "p50"
        ? `One connection, ${messages} messages one after the other in each round, through listen mode without a filter. The figure ` +
          "is the median through the proxy less the median without one. The client waits for each reply. clamsmtpd is slow here " +
          "because it waits for a delayed acknowledgement of TCP, so it gets as many messages as it can take in two seconds."
        : "The same run. The figure is the 99th percentile through the proxy less the 99th percentile without one.",
      unit: "ms",
      better: "less" as const,
      claims: bench.programs.map(({ runtime }): Claim => ({
        what: `added latency, listen mode on ${runtime}, 5 kB, one connection, ${what}`,
        values: added(at(`postprox, ${runtime}`), what),
        unit: "ms",
        wanted: WANTED[what],
        bound: `a bare relay on ${runtime}: ${formatSpread(added(at(bareRelayName(runtime)), what))} ms`,
      })),
      bars: bars(what),
    }));
  },
};

/** Milliseconds after which a slow way gets no more messages in a turn. */
const TURN = 2_000;

/** Milliseconds of messages on one new connection. */
async function timeMany(port: number, messages: number): Promise<Latency> {
  using asker = await Asker.connect(port);
  const times: number[] = [];
  const end = performance.now() + TURN;
  for (let count = 0; count < messages && performance.now() < end; count++) {
    const start = performance.now();
    await asker.sayEnvelope();
    await asker.sayMessage();
    times.push(performance.now() - start);
  }
  await asker.quit();
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
