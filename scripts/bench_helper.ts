// A part of `deno task bench`: the throughput of a filter that stays beside the same filter started for each message.
//
// The filter is a Python script that works for 1 ms. Both ways take turns. It is left out if there is no python3.

const PYTHON = "/usr/bin/python3";

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

export interface HelperBench {
  readonly rounds: number;
  /** Starts postprox with these options before the mail server; its port. */
  readonly startProxy: (options: string[]) => Promise<number>;
  /** Messages of 5 kB in a second, when so many are sent on 10 connections. */
  readonly send: (port: number, count: number) => Promise<number>;
}

export async function benchHelper({ rounds, startProxy, send }: HelperBench): Promise<void> {
  if (!hasPython()) return console.log(`the filter in Python is left out: there is no ${PYTHON}`);
  const directory = await Deno.makeTempDir({ prefix: "postprox-bench-" });
  try {
    const filter = `${directory}/filter.py`;
    await Deno.writeTextFile(filter, SCRIPT);
    const started = await startProxy(["-c", `${PYTHON} ${filter}`]);
    const staying = await startProxy([`--helper=exec ${PYTHON} ${filter}`]);
    const rates: { started: number[]; staying: number[] } = { started: [], staying: [] };
    await send(staying, 200);
    for (let round = 0; round < rounds; round++) {
      rates.started.push(await send(started, 100));
      rates.staying.push(await send(staying, 1_000));
    }
    const ratios = rates.staying.map((rate, at) => rate / rates.started[at]!).toSorted((a, b) => a - b);
    const middle = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
    console.log(
      `${"5 kB, filter in Python, 1 ms".padEnd(28)} -c ${middle(rates.started).toFixed(0).padStart(10)}  --helper ${
        middle(rates.staying).toFixed(0).padStart(5)
      } messages/s ratio ${middle(ratios).toFixed(1)} (${ratios[0]!.toFixed(1)} to ${ratios.at(-1)!.toFixed(1)})`,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function hasPython(): boolean {
  try {
    return Deno.statSync(PYTHON).isFile;
  } catch {
    return false;
  }
}
