// Shows that nothing is lost by reloads, by workers that end, and by restarts: `deno task restarts`.
//
// A steady load of clients sends messages to postprox, directly and through a real Postfix. Meanwhile postprox is reloaded,
// single workers get each signal that ends a process, and postprox is restarted on a socket that a service manager holds:
// 20 times each (`--count=N`). It prints for each case what the clients saw. tests/endurance/restarts.ts has the promises.
// `--clients=N` sets the size of the load (8). Words choose cases by their names. Without root or Postfix, it leaves out the
// way through Postfix. The variable POSTPROX names an executable to test in place of the source. The exit status is 1 if a
// promise is broken.

import { type Front, isKept, type Row, runStage, stagesOf } from "../tests/endurance/restarts.ts";

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
const stages = stagesOf(count).filter(({ what }) => words.length === 0 || words.some((word) => what.includes(word)));
const fronts: readonly Front[] = hasPostfix() ? ["direct", "Postfix"] : ["direct"];

for (const front of fronts) {
  console.log(front === "direct" ? "client -> postprox -> server" : "\nclient -> Postfix -> postprox -> server");
  console.log("".padEnd(26) + COLUMNS.map(([title]) => title.padStart(WIDTH)).join(""));
  for (const stage of stages) {
    const row = await runStage(stage, { clients, front });
    const cells = COLUMNS.map(([_, value]) => String(value(row)).padStart(WIDTH)).join("");
    console.log(`  ${stage.what.padEnd(24)}${cells}${isKept(row) ? "" : "  BROKEN"}`);
    if (isKept(row)) continue;
    Deno.exitCode = 1;
    for (const [why, times] of row.complaints) console.error(`      ${times} x ${why}`);
  }
}
console.log(LEGEND);

function hasPostfix(): boolean {
  try {
    return Deno.uid() === 0 && Deno.statSync("/usr/sbin/postfix").isFile;
  } catch {
    return false;
  }
}

function option(name: string): string | undefined {
  const start = `--${name}=`;
  return Deno.args.find((arg) => arg.startsWith(start))?.slice(start.length);
}
