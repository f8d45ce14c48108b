// A filter in Python that stays, beside the same filter started for each message.

import { end, send, startProgram, startProxy } from "./bed.ts";
import { rateOfBoth, ratios, takeWarmTurns } from "./compare.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import { formatSpread } from "./numbers.ts";

const PYTHON = "/usr/bin/python3";
const AT_LEAST = 15;
const SIZE = 5_000;
/** postprox's default. */
const HELPERS = 2;

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

/** Something that is measured: how many messages or questions a second it takes. */
interface Measured {
  readonly name: string;
  readonly count: number;
  readonly rate: (count: number) => Promise<number>;
  readonly stop: () => Promise<void>;
}

const ALONE = "the script alone";
const namesOf = (runtime: string) => ({
  none: `no filter, ${runtime}`,
  command: `-c, ${runtime}`,
  helper: `--helper, ${runtime}`,
});

export const helper: Group = {
  name: "helper",
  title: "A filter that stays",
  packages: ["postfix", "python3"],
  run: async (bench) => {
    const all = await startAll(bench);
    const turn = ({ rate, count }: Measured) => rate(count);
    const values = await takeWarmTurns(all, turn, { rounds: bench.pick(5, 1), isShort: bench.isShort });
    for (const { stop } of all) await stop();
    const of = (name: string) => values[all.findIndex((one) => one.name === name)]!;
    return [{
      kind: "bars",
      id: "helper",
      title: "Messages a second with a filter in Python that works for 1 ms",
      about:
        `Messages of 5 kB on 10 connections. With \`-c\` the interpreter starts for each message. With \`--helper\`, ${HELPERS} of ` +
        "them stay. It is the same script. Alone, the script has the questions in its pipe and knows nothing of mail. Client, " +
        "server, postprox and script share the processors, so a message costs at least what it costs without a filter, and " +
        "then the work of the script. That is the bound.",
      unit: "messages a second",
      better: "more",
      claims: bench.programs.map(({ runtime }): Claim => {
        const { none, command, helper } = namesOf(runtime);
        return {
          what: `\`--helper\` on ${runtime}: rate beside the same script by \`-c\``,
          values: ratios(of(helper), of(command)),
          unit: "times",
          wanted: { atLeast: AT_LEAST },
          bound: `no filter, and then the script alone: ${
            formatSpread(ratios(rateOfBoth(of(none), of(ALONE)), of(command)))
          } times`,
        };
      }),
      bars: all.map(({ name }): Bar => ({ name, values: of(name), isOurs: name.startsWith("--helper") })),
    }];
  },
};

async function startAll({ programs, sink, directory, pick }: Bench): Promise<Measured[]> {
  const script = `${directory}/filter.py`;
  await Deno.writeTextFile(script, SCRIPT);
  const all = [startAlone(directory, script, pick(3_000, 20))];
  for (const { runtime, words } of programs) {
    const { none, command, helper } = namesOf(runtime);
    for (
      const [name, options, count] of [
        [none, [], 3_000],
        [command, ["-c", `${PYTHON} ${script}`], 100],
        [helper, ["--helper", `exec ${PYTHON} ${script}`], 1_000],
      ] as const
    ) {
      const { port, stop } = await startProxy(sink.port, ["-d", directory, ...options], words);
      const rate = (count: number) => send(port, { size: SIZE, count, connections: 10 });
      all.push({ name, count: pick(count, 20), rate, stop });
    }
  }
  return all;
}

/** Programs of the script that get all their questions at once. */
function startAlone(directory: string, script: string, count: number): Measured {
  const email = `${directory}/email`;
  Deno.writeFileSync(email, new Uint8Array(SIZE));
  const programs = Array.from({ length: HELPERS }, () => {
    const child = startProgram([PYTHON, script], { talks: true });
    return { child, writer: child.stdin.getWriter(), reader: child.stdout.getReader() };
  });
  const ask = async ({ writer, reader }: typeof programs[number], count: number) => {
    const questions = Array.from({ length: count }, (_, id) => `${JSON.stringify({ id, email })}\n`).join("");
    const written = writer.write(new TextEncoder().encode(questions));
    for (let answers = 0; answers < count;) {
      const { value } = await reader.read();
      if (!value) throw new Error(`${script} has ended`);
      answers += value.filter((octet) => octet === 10).length;
    }
    await written;
  };
  return {
    name: ALONE,
    count,
    rate: async (count) => {
      const start = performance.now();
      const each = Math.ceil(count / HELPERS);
      await Promise.all(programs.map((program) => ask(program, each)));
      return each * HELPERS / ((performance.now() - start) / 1000);
    },
    stop: async () => {
      for (const { child, writer, reader } of programs) {
        await writer.close();
        await reader.cancel();
        await end(child);
      }
    },
  };
}
