// Shows that nothing is lost by reloads, by workers that end, and by restarts: `deno task restarts`.
//
// A steady load of clients sends messages to postprox, directly and through a real Postfix. Meanwhile postprox is reloaded,
// single workers get each signal that ends a process, and postprox is restarted on a socket that a service manager holds:
// 20 times each (`--count=N`). A running systemd of its own restarts the packages' unit with their postprox.socket. The task
// prints for each case what the clients saw. tests/endurance/restarts.ts has the promises.
//
// `--clients=N` sets the size of the load (8). Words choose cases by their names. Without root, Postfix or systemd, the task
// leaves out what needs them. The variable POSTPROX names an executable to test in place of the source. The exit status is 1
// if a promise is broken.

import {
  type Front,
  isKept,
  type Row,
  runStage,
  type Stage,
  stagesOf,
  systemdStages,
} from "../tests/endurance/restarts.ts";
import { runUnderSystemd } from "../tests/endurance/restarts_systemd.ts";

const COLUMNS: readonly (readonly [title: string, value: (row: Row) => string | number])[] = [
  ["times", ({ stage }) => stage.count],
  ["sent", ({ sent }) => sent],
  ["refused", ({ refused }) => refused],
  ["broken", ({ broken }) => broken],
  ["unknown", ({ unknown }) => unknown],
  ["longest", ({ longest }) => `${longest.toFixed(0)} ms`],
  ["lost", ({ lost }) => lost],
  ["doubled", ({ doubled }) => doubled],
];

const LEGEND = `
sent      messages that were accepted
refused   connections that could not be made
broken    sessions that ended too early, or were told 4xx; only a worker that is killed or ends at once (SIGQUIT) may do that
unknown   sessions that ended between the final dot and its reply; their message may be delivered twice
longest   the longest session, from the connection to the end
lost      accepted and not delivered
doubled   delivered more often than the sessions of unknown outcome explain`;

const WIDTH = 9;

const count = Number(option("count") ?? 20);
const clients = Number(option("clients") ?? 8);
const words = Deno.args.filter((arg) => !arg.startsWith("--"));
const chosen = (stages: readonly Stage[]) =>
  stages.filter(({ what }) => words.length === 0 || words.some((word) => what.includes(word)));
const fronts: readonly Front[] = isThere("/usr/sbin/postfix") ? ["direct", "Postfix"] : ["direct"];

for (const front of fronts) {
  const way = front === "direct" ? "client -> postprox -> server" : "client -> Postfix -> postprox -> server";
  await print(way, chosen(stagesOf(count)), (stage) => runStage(stage, { clients, front }));
}
for (const front of isThere("/usr/bin/systemctl") ? fronts : []) {
  const way = front === "direct"
    ? "client -> systemd's socket -> server"
    : "client -> Postfix -> systemd's socket -> server";
  await print(way, chosen(systemdStages(count)), (stage) => runUnderSystemd(stage, { clients, front }));
}
console.log(LEGEND);

async function print(
  way: string,
  stages: readonly Stage[],
  run: (stage: Stage) => Promise<Row>,
): Promise<void> {
  if (stages.length === 0) return;
  console.log(`\n${way}\n${"".padEnd(30)}${COLUMNS.map(([title]) => title.padStart(WIDTH)).join("")}`);
  for (const stage of stages) {
    const row = await run(stage);
    const cells = COLUMNS.map(([_, value]) => String(value(row)).padStart(WIDTH)).join("");
    console.log(`  ${stage.what.padEnd(28)}${cells}${isKept(row) ? "" : "  BROKEN"}`);
    if (isKept(row)) continue;
    Deno.exitCode = 1;
    for (const [why, times] of row.complaints) console.error(`      ${times} x ${why}`);
  }
}

function isThere(program: string): boolean {
  try {
    return Deno.uid() === 0 && Deno.statSync(program).isFile;
  } catch {
    return false;
  }
}

function option(name: string): string | undefined {
  const start = `--${name}=`;
  return Deno.args.find((arg) => arg.startsWith(start))?.slice(start.length);
}
