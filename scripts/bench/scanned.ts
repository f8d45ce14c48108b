// A message of 50 MB through clamd, rspamd and URL lists: how long others wait meanwhile, and the memory that it takes.
//
// The scanners and the mail server are stand-ins in processes of their own (scanners.ts, mail_sink.py). So they share no event
// loop with each other, with postprox, or with the client that waits. Postfix's smtp-sink has one loop for all its clients, and a
// large message holds it.

import { ROOT } from "../build.ts";
import { Asker } from "./asker.ts";
import { send, type Server, startProgram, startProxy } from "./bed.ts";
import { takeTurns } from "./compare.ts";
import type { Bar, Claim } from "./findings.ts";
import type { Bench, Group } from "./group.ts";
import type { Scanners } from "./scanners.ts";

const FOLDER = `${ROOT}scripts/bench`;

const LARGE = { size: 50_000_000, count: 1, connections: 1 };
const WARM = { size: 3_000_000, count: 10, connections: 1 };

/** Milliseconds of NOOPs without the message. */
const QUIET = 3_000;

/** Milliseconds between two NOOPs. */
const PAUSE = 1;

const WANTED = { wait: { atMost: 10 }, memory: { atMost: 16 } };

/** Of one new process. */
interface Found {
  /** Milliseconds: the longest NOOP without the message, and with it. */
  readonly quiet: number;
  readonly loaded: number;
  /** MB. */
  readonly memory: number;
}

export const scanned: Group = {
  name: "scanned",
  title: "A large message through scanners",
  packages: ["postfix", "python3"],
  run: async (bench) => {
    const scanners = await start<Scanners>([Deno.execPath(), "run", "--quiet", "-A", `${FOLDER}/scanners.ts`]);
    const mail = await start<number>(["/usr/bin/python3", `${FOLDER}/mail_sink.py`]);
    const options = ["-d", bench.directory, ...optionsFor(scanners)];
    const found = await takeTurns(bench.programs, async ({ words }) => {
      const server = await startProxy(mail, options, words);
      const figures = await measure(bench, server);
      await server.stop();
      return figures;
    }, bench.pick(5, 1));
    const bar = (name: string, program: number, value: (found: Found) => number): Bar => ({
      name,
      values: found[program]!.map(value),
      isOurs: true,
    });
    return [
      {
        kind: "bars",
        id: "scanned-wait",
        title: "The longest wait for a NOOP while a message of 50 MB passes scanners",
        about:
          "Another client says one NOOP after the other, and each goes on to the mail server and back. The message of 50 MB " +
          "passes clamd, rspamd and URL lists side by side, then it is delivered with another header. The scanners are " +
          "stand-ins that answer at once, and so is the mail server. A claim is the longest wait with the message less the longest wait without it.",
        unit: "ms",
        better: "less",
        claims: bench.programs.map(({ runtime }, program): Claim => ({
          what: `listen mode on ${runtime}: the longest that another session waits because of a message of 50 MB`,
          values: found[program]!.map(({ quiet, loaded }) => Math.max(0, loaded - quiet)),
          unit: "ms",
          wanted: WANTED.wait,
        })),
        bars: bench.programs.flatMap(({ runtime }, program) => [
          bar(`postprox, ${runtime}, nothing else`, program, ({ quiet }) => quiet),
          bar(`postprox, ${runtime}, a message of 50 MB`, program, ({ loaded }) => loaded),
        ]),
      },
      {
        kind: "bars",
        id: "scanned-memory",
        title: "Memory that a message of 50 MB adds on its way through scanners",
        about:
          "The same run. The figure is the highest resident memory so far, less that before the message. Before it, there were " +
          `${WARM.count} messages of 3 MB.`,
        unit: "MB",
        better: "less",
        claims: bench.programs.map(({ runtime }, program): Claim => ({
          what: `listen mode on ${runtime}: memory added by a message of 50 MB through scanners`,
          values: found[program]!.map(({ memory }) => memory),
          unit: "MB",
          wanted: WANTED.memory,
        })),
        bars: bench.programs.map(({ runtime }, program) =>
          bar(`postprox, ${runtime}`, program, ({ memory }) => memory)
        ),
      },
    ];
  },
};

/** Starts a stand-in. Gives its first line, which is JSON. */
async function start<Said>(words: readonly string[]): Promise<Said> {
  const child = startProgram(words, { talks: true });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${words.join(" ")} has ended`);
    line += value;
  }
  return JSON.parse(line);
}

function optionsFor({ clamd, rspamd, dns }: Scanners): string[] {
  return [
    `--clamd=${clamd}`,
    `--rspamd=${rspamd}`,
    "--url-dnsbl=bl.example",
    "--url-rhsbl=dbl.example",
    `--dns-server=${dns}`,
    // A scanner that cannot tell would let the message pass.
    "-r",
  ];
}

async function measure(bench: Bench, { pid, port }: Server): Promise<Found> {
  await send(port, { ...WARM, size: bench.pick(WARM.size, 300_000) });
  const quiet = await longestNoop(port, () => new Promise((resolve) => setTimeout(resolve, bench.pick(QUIET, 100))));
  const before = peakOf(pid);
  const loaded = await longestNoop(port, () => send(port, { ...LARGE, size: bench.pick(LARGE.size, 1_000_000) }));
  return { quiet, loaded, memory: peakOf(pid) - before };
}

/** Says NOOP again and again until `load` is over. Gives the longest wait for a reply, in milliseconds. */
async function longestNoop(port: number, load: () => Promise<unknown>): Promise<number> {
  using asker = await Asker.connect(port);
  let longest = 0;
  let isOver = false;
  const loading = load().finally(() => isOver = true);
  while (!isOver) {
    const start = performance.now();
    await asker.sayNoop();
    longest = Math.max(longest, performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  await loading;
  await asker.quit();
  return longest;
}

/** In MB. */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) * 1024 / 1e6;
}
