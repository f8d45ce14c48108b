// A filter in Python that stays, beside the same filter started for each message.

import { startProxy } from "./bed.ts";
import { ratios, takeTurns } from "./compare.ts";
import { costOf, valuesOf } from "./cost.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Group } from "./group.ts";
import type { Way } from "./way.ts";

const PYTHON = "/usr/bin/python3";
const AT_LEAST = 15;

const SCRIPT = `import json, os, sys, time

def judge(path):
    end = time.perf_counter() + 0.001
    with open(path, "rb") as message:
        message.read()
    while time.perf_counter() < end:
        pass

if "EMAIL" in os.environ:
    judge(os.environ["EMAIL"])
else:
    for line in sys.stdin:
        question = json.loads(line)
        judge(question["email"])
        print(json.dumps({"id": question["id"], "exit": 0}), flush=True)
`;

export const helper: Group = {
  name: "helper",
  title: "A filter that stays",
  packages: ["postfix", "python3"],
  run: async (bench) => {
    const filter = `${bench.directory}/filter.py`;
    await Deno.writeTextFile(filter, SCRIPT);
    const ways: (Way & { readonly count: number })[] = [];
    for (const { runtime, words } of bench.programs) {
      for (const [what, option] of [["-c", `${PYTHON} ${filter}`], ["--helper", `exec ${PYTHON} ${filter}`]] as const) {
        const way = await startProxy(bench.sink.port, [what, option, "-d", bench.directory], words);
        ways.push({ ...way, name: `${what}, ${runtime}`, count: bench.pick(what === "-c" ? 100 : 1_000, 20) });
      }
    }
    const measure = (way: typeof ways[number]) => costOf(way, { size: 5_000, count: way.count, connections: 10 });
    for (const way of ways) await measure(way);
    const costs = await takeTurns(ways, measure, bench.pick(5, 1));
    for (const way of ways) await way.stop();
    const rates = costs.map((some) => valuesOf(some, "rate"));
    const of = (name: string) => rates[ways.findIndex((way) => way.name === name)]!;
    return [{
      kind: "bars",
      id: "helper",
      title: "Messages a second with a filter in Python that works for 1 ms",
      about:
        "Messages of 5 kB on 10 connections. With `-c` the interpreter starts for each message. With `--helper`, two of " +
        "them stay. It is the same script.",
      unit: "messages a second",
      better: "more",
      claims: bench.programs.map(({ runtime }): Claim => ({
        what: `\`--helper\` on ${runtime}: rate beside the same script by \`-c\``,
        values: ratios(of(`--helper, ${runtime}`), of(`-c, ${runtime}`)),
        unit: "times",
        wanted: { atLeast: AT_LEAST },
      })),
      bars: ways.map(({ name }): Bar => ({ name, values: of(name), isOurs: name.startsWith("--helper") })),
    }];
  },
};
