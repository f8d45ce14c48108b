// Listen mode without a filter, beside other proxies, a bare relay, and no proxy at all.

import { freePort } from "../../tests/rig/ports.ts";
import { bareRelayName, startBareRelays } from "./bare_programs.ts";
import { startProxy, startServer } from "./bed.ts";
import { ratios, takeWarmTurns } from "./compare.ts";
import { costOf, countsFor, valuesOf } from "./cost.ts";
import type { Claim } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import { formatSpread } from "./numbers.ts";
import { startProven } from "./peers/all.ts";
import { clamsmtp } from "./peers/clamsmtp.ts";
import { proxsmtp } from "./peers/proxsmtp.ts";
import { socat } from "./peers/socat.ts";
import type { Way } from "./way.ts";

const DIRECT = "direct, no proxy";
const AT_MOST = 0.65;

export const proxies: Group = {
  name: "proxies",
  title: "Listen mode without a filter, beside other proxies",
  packages: ["postfix", "clamsmtp", "proxsmtp", "socat"],
  run: async (bench) => {
    const ways = await startWays(bench);
    const load = { size: 5_000, count: bench.pick(3_000, 20), connections: 10 };
    const counts = await countsFor(ways, load);
    const measure = (way: Way) => costOf(way, { ...load, count: counts[ways.indexOf(way)]! });
    const costs = await takeWarmTurns(ways, measure, { rounds: bench.pick(5, 1), isShort: bench.isShort });
    for (const way of ways) if (way.name !== DIRECT) await way.stop();

    const cpu = costs.map((some) => valuesOf(some, "cpu"));
    const rate = costs.map((some) => valuesOf(some, "rate"));
    const at = (name: string) => ways.findIndex((way) => way.name === name);
    const isOurs = (name: string) => name.startsWith("postprox");
    const claims = bench.programs.flatMap(({ runtime }): Claim[] => {
      const beside = cpu[at(clamsmtp.name)];
      if (!beside) return [];
      const values = ratios(cpu[at(`postprox, ${runtime}`)]!, beside);
      return [{
        what: `listen mode on ${runtime}, no filter: CPU beside clamsmtpd`,
        values,
        unit: "times",
        wanted: { atMost: AT_MOST },
        bound: `a bare relay on ${runtime}: ${formatSpread(ratios(cpu[at(bareRelayName(runtime))]!, beside))} times`,
      }];
    });
    const about =
      "Messages of 5 kB on 10 connections go to a server that throws them away. The filter of clamsmtpd is a clamd " +
      "that answers OK at once; its time does not count. socat passes octets on and knows no SMTP. So do the bare relays " +
      "(`scripts/bench/bare/`): they are the least that a runtime can do. The naive proxy (`naive_proxy.ts`) is an hour's " +
      "work: it has no checks, no limits and no spool, and runs on Deno.";
    return [
      {
        kind: "bars",
        id: "proxies-cpu",
        title: "Processor time of the proxy for a message of 5 kB",
        about,
        unit: "ms of CPU for a message",
        better: "less",
        claims,
        bars: ways.flatMap(({ name, processorTime }, way) =>
          processorTime && name !== DIRECT ? [{ name, values: cpu[way]!, isOurs: isOurs(name) }] : []
        ),
      },
      {
        kind: "bars",
        id: "proxies-rate",
        title: "Rate through the proxy, of the rate without one",
        about: "The same run. The client, the proxy and the server share the processors.",
        unit: "share of the direct rate",
        better: "more",
        claims: [],
        bars: ways.map(({ name }, way) => ({
          name,
          values: ratios(rate[way]!, rate[at(DIRECT)]!),
          isOurs: isOurs(name),
        })),
      },
    ];
  },
};

async function startWays(bench: Bench): Promise<Way[]> {
  const { sink, directory } = bench;
  const ways: Way[] = [{ ...sink, name: DIRECT }];
  for (const { runtime, words } of bench.programs) {
    ways.push({ ...await startProxy(sink.port, ["-d", directory], words), name: `postprox, ${runtime}` });
  }
  for (const peer of [clamsmtp, proxsmtp, socat]) {
    const way = await startProven(peer, directory, sink.port);
    if (way) ways.push(way);
    else bench.note(`${peer.name} is left out: apt-get install ${peer.package}`);
  }
  ways.push(...await startBareRelays(bench), await startNaive(sink.port), ...bench.others);
  return ways;
}

async function startNaive(sink: number): Promise<Way> {
  const port = await freePort();
  const script = decodeURIComponent(new URL("naive_proxy.ts", import.meta.url).pathname);
  const words = [Deno.execPath(), "run", "--quiet", "-A", script, String(port), String(sink)];
  return await startServer("naive proxy", port, words);
}
