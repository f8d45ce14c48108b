// What a question to clamd costs: postprox's own share of its time, and a message in spawn mode beside a script.
//
// A real clamd with a database of one signature gets clean messages of 5 kB.

import { Clamd } from "../../tests/e2e/clamd_bed.ts";
import { Asker, MESSAGE } from "./asker.ts";
import { isFile, startProxy } from "./bed.ts";
import { quantile, ratios, takeTurns, takeWarmTurns, type Values } from "./compare.ts";
import type { Bar, Claim, Part } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import { pathOf } from "./peers/program.ts";
import { Spawner } from "./spawner.ts";

const CLAMDSCAN = "/usr/bin/clamdscan";
const OWN_SHARE = 1;

export const clamd: Group = {
  name: "clamd",
  title: "What a question to clamd costs",
  packages: ["postfix", "clamav-daemon", "clamdscan"],
  run: async (bench) => {
    if (!pathOf("clamd")) {
      bench.note("left out: it needs clamd: apt-get install clamav-daemon");
      return [];
    }
    await using daemon = await Clamd.start();
    const parts = [await measureShare(bench, daemon)];
    if (isFile(CLAMDSCAN)) parts.push(await measureSpawned(bench, daemon));
    else bench.note("clamdscan is left out: apt-get install clamdscan");
    return parts;
  },
};

/** Something whose time is measured: the median of some messages, in milliseconds. */
interface Timed {
  readonly name: string;
  readonly time: (messages: number) => Promise<number>;
  readonly stop: () => Promise<void>;
}

const SERVER = "mail server alone";
const CLAMD = "clamd alone";
const namesOf = (runtime: string) => ({
  plain: `postprox, ${runtime}, no filter`,
  asking: `postprox, ${runtime}, --clamd`,
});

async function measureShare(bench: Bench, daemon: Clamd): Promise<Part> {
  const { sink, directory, programs } = bench;
  const stays = () => Promise.resolve();
  const all: Timed[] = [
    { name: SERVER, time: (messages) => timeMail(sink.port, messages), stop: stays },
    { name: CLAMD, time: (messages) => timeClamd(daemon, messages), stop: stays },
  ];
  for (const { runtime, words } of programs) {
    const { plain, asking } = namesOf(runtime);
    for (const [name, options] of [[plain, []], [asking, [`--clamd=${daemon.unix}`]]] as const) {
      const { port, stop } = await startProxy(sink.port, ["-d", directory, ...options], words);
      all.push({ name, time: (messages) => timeMail(port, messages), stop });
    }
  }
  const messages = bench.pick(500, 10);
  const turn = ({ time }: Timed) => time(messages);
  const values = await takeWarmTurns(all, turn, { rounds: bench.pick(7, 1), isShort: bench.isShort });
  for (const { stop } of all) await stop();
  const of = (name: string): Values => values[all.findIndex((one) => one.name === name)]!;
  return {
    kind: "bars",
    id: "clamd-share",
    title: "Time from the final dot of a message to the reply",
    about:
      `One connection, ${messages} messages of 5 kB one after the other in each round; the median of each round. A claim is ` +
      "the time with `--clamd` less that of clamd and that of the mail server: postprox's own share, in which it takes the " +
      "message, asks clamd over a new connection, and passes the message on.",
    unit: "ms",
    better: "less",
    claims: programs.map(({ runtime }): Claim => ({
      what: `listen mode on ${runtime}, \`--clamd\`, a clean message of 5 kB: postprox's own share of its time`,
      values: of(namesOf(runtime).asking).map((time, round) => time - of(CLAMD)[round]! - of(SERVER)[round]!),
      unit: "ms",
      wanted: { atMost: OWN_SHARE },
    })),
    bars: all.map(({ name }): Bar => ({ name, values: of(name), isOurs: name.startsWith("postprox") })),
  };
}

async function timeMail(port: number, messages: number): Promise<number> {
  using asker = await Asker.connect(port);
  const times: number[] = [];
  for (let count = 0; count < messages; count++) {
    await asker.sayEnvelope();
    const start = performance.now();
    await asker.sayMessage();
    times.push(performance.now() - start);
  }
  await asker.quit();
  return quantile(times, 0.5);
}

async function timeClamd(daemon: Clamd, messages: number): Promise<number> {
  const message = MESSAGE.replaceAll("\r\n", "\n");
  const times: number[] = [];
  for (let count = 0; count < messages; count++) {
    const { answer, time } = await daemon.ask(message);
    if (answer !== "stream: OK\0") throw new Error(`clamd answered ${answer}`);
    times.push(time);
  }
  return quantile(times, 0.5);
}

async function measureSpawned(bench: Bench, daemon: Clamd): Promise<Part> {
  const script = `${bench.directory}/clamdscan-filter`;
  const example = Deno.readTextFileSync(new URL("../../examples/clamdscan-filter", import.meta.url));
  const asking = example.replace("clamdscan ", `clamdscan --config-file=${daemon.config} `);
  Deno.writeTextFileSync(script, asking, { mode: 0o755 });
  const nameOf = (runtime: string, what: string) => `postprox, ${runtime}, ${what}`;
  const options = [["--clamd", `--clamd=${daemon.unix}`], ["-c clamdscan-filter", "-c", script]] as const;
  const all = bench.programs.flatMap(({ runtime, words }) =>
    options.map(([what, ...option]) => ({
      name: nameOf(runtime, what),
      argv: [...words, `127.0.0.1:${bench.sink.port}`, "-d", bench.directory, ...option],
      size: 5_000,
    }))
  );
  await using spawner = new Spawner();
  const cpu = async (one: typeof all[number]) => (await spawner.run(one, 1))[0]!.cpu;
  for (const one of all) await cpu(one);
  const values = await takeTurns(all, cpu, bench.pick(15, 1));
  const of = (name: string): Values => values[all.findIndex((one) => one.name === name)]!;
  return {
    kind: "bars",
    id: "clamd-spawn",
    title: "Processor time of a process that asks clamd about one message",
    about:
      "Spawn mode, a message of 5 kB. The script is examples/clamdscan-filter, which runs clamdscan(1). The time of the " +
      "script counts, and clamd's own time does not.",
    unit: "ms of CPU",
    better: "less",
    claims: bench.programs.map(({ runtime }): Claim => ({
      what: `spawn mode on ${runtime}, \`--clamd\`: CPU beside \`-c clamdscan-filter\``,
      values: ratios(of(nameOf(runtime, options[0][0])), of(nameOf(runtime, options[1][0]))),
      unit: "times",
    })),
    bars: all.map(({ name }): Bar => ({ name, values: of(name), isOurs: true })),
  };
}
