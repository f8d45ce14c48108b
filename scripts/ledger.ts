// Proves by counting that no message is lost or doubled: `deno task ledger`.
//
// It sends some 10,000 messages with unique ids through a real Postfix, postprox and a second real Postfix. Meanwhile
// filters hang and crash, downstream is stopped and killed, clients vanish, and postprox itself is killed. It prints
// for each fault what happened to the messages. tests/endurance/ledger.ts has the promises, and says what counts as an
// explanation. It takes some minutes. `--share=0.1` sends a tenth of the messages, and `--seed=N` draws others. It
// needs root and Debian's package postfix. The exit status is 1 if a promise is broken. Standard error then shows what
// the logs say of each case.

import { isKept, type Ledger, type Row, runLedger } from "../tests/endurance/ledger.ts";
import { type Stage, stagesOf } from "../tests/endurance/ledger_stages.ts";

const COLUMNS: readonly (readonly [title: string, value: (row: Row) => number])[] = [
  ["sent", (row) => row.accepted + row.refused + row.unanswered],
  ["accepted", (row) => row.accepted],
  ["refused", (row) => row.refused],
  ["no reply", (row) => row.unanswered],
  ["0 times", (row) => row.delivered.none],
  ["once", (row) => row.delivered.once],
  ["2+", (row) => row.delivered.more],
  ["lost", (row) => row.lost],
  ["logged", (row) => row.logged],
  ["killed", (row) => row.killed],
  ["before", (row) => row.before],
  ["unexplained", (row) => row.unexplained],
];

const LEGEND = `
accepted, refused, no reply   what the client heard: 2xx to its final dot; 4xx or 5xx to any command; nothing
0 times, once, 2+             how often the message was delivered
lost                          accepted and not delivered
Delivered although the client did not hear so, by the explanation:
logged       a "possible duplicate" line in postprox's log names the message
killed       SIGKILL ended the postprox that had it, so there is no line
before       the Postfix before the filter heard the 2xx; its client did not wait for it
unexplained  none of these`;

// The first cases say the same as the others.
const CASES_SHOWN = 10;

const started = performance.now();
let shown = 0;
const seed = Number(option("seed") ?? 1);
const stages = stagesOf(Number(option("share") ?? 1), 3);
const ledger = await runLedger({
  seed,
  stages,
  onProgress: progress,
  onUnexplained: (text) => shown++ < CASES_SHOWN && console.error(`${clearLine()}${text}\n`),
});
print(ledger);
if (!isKept(ledger)) Deno.exitCode = 1;

function print({ rows, complaints, possibleDuplicates, kills, redelivered }: Ledger): void {
  console.log(`${clearLine()}${"".padEnd(42)}${COLUMNS.map(([title]) => title.padStart(width(title))).join("")}`);
  let route = "";
  for (const row of rows) {
    if (routeOf(row.stage) !== route) console.log(route = routeOf(row.stage));
    printRow(`  ${row.stage.fault}`, (value) => value(row));
  }
  printRow("all", (value) => rows.reduce((sum, row) => sum + value(row), 0));
  console.log(LEGEND);
  const hung = rows.reduce((sum, row) => sum + row.hung, 0);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const { all, heard, undelivered } = possibleDuplicates;
  console.log(
    `\nseed ${seed}, ${seconds} s; ${kills} processes of postprox killed with SIGKILL\n` +
      `"possible duplicate" in the log: ${all} messages. ${heard} of their clients heard the reply anyway (and closed ` +
      `without QUIT).\n${undelivered} of the messages were not delivered. Clients without any reply for 20 s: ${hung}. ` +
      `Postfix delivered ${redelivered} again from one queue file.`,
  );
  for (const complaint of complaints) console.log(complaint);
  console.log(isKept({ rows, complaints, possibleDuplicates, kills, redelivered }) ? "kept" : "BROKEN");
}

function printRow(name: string, take: (value: (row: Row) => number) => number): void {
  const cells = COLUMNS.map(([title, value]) => String(take(value)).padStart(width(title)));
  console.log(name.padEnd(42) + cells.join(""));
}

function width(title: string): number {
  return Math.max(6, title.length) + 2;
}

function routeOf({ front, mode }: Stage): string {
  const way = front === "postprox" ? "client -> postprox -> Postfix" : "client -> Postfix -> postprox -> Postfix";
  return `${way}, ${mode}`;
}

function progress(stage: Stage, done: number): void {
  if (!Deno.stderr.isTerminal()) return;
  const text = `${clearLine()}${routeOf(stage)}: ${stage.fault}: ${done} of ${stage.count}`;
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

function clearLine(): string {
  return Deno.stderr.isTerminal() ? "\r\x1b[K" : "";
}

function option(name: string): string | undefined {
  const start = `--${name}=`;
  return Deno.args.find((arg) => arg.startsWith(start))?.slice(start.length);
}
