// Measures what postprox costs over time and under load: `deno task endurance`.
//
// It prints each figure beside its bound: memory over 200,000 messages in one listen process (the series and its
// slope), 2,000 idle connections, messages of 100 MB, 10,000 recipients, a client that sends one octet per second, a
// flood of connections. Each load has its own process, on 127.0.0.1, and stops by itself. All together take some
// minutes. It needs Postfix's smtp-source and smtp-sink (Debian: apt-get install postfix) and about 5,000 descriptors
// (`ulimit -n`): each of the 2,000 connections takes two in postprox. The exit status is 1 if a figure is beyond its
// bound. tests/endurance/endurance.ts has the loads.

import { addressMany, flood, holdIdle, sendLarge, sendMany, trickle } from "../tests/endurance/endurance.ts";
import type { Figure } from "../tests/endurance/endurance_bed.ts";

const MESSAGES = { count: 10_000, size: 5000, connections: 10 };
const BATCHES = 20;
const WARM_UP = 15_000;

const showPoint = ({ messages, kib }: { messages: number; kib: number }) =>
  console.log(`${String(messages).padStart(10)} messages ${(kib / 1024).toFixed(1).padStart(7)} MiB`);

const LOADS: readonly (() => Promise<Figure[]>)[] = [
  () => trickle(4, 1000),
  () => flood(100, 1000),
  () => addressMany(10_000),
  () => holdIdle(2000, 2000),
  () => sendLarge(100_000_000, [], WARM_UP),
  () => sendLarge(100_000_000, ["-c", "true"], WARM_UP),
  () => sendMany(MESSAGES, BATCHES, showPoint),
];

for (const load of LOADS) {
  for (const { name, value, bound, passed } of await load()) {
    console.log(`${passed ? "ok  " : "FAIL"} ${name.padEnd(56)} ${value.padEnd(30)} ${bound}`);
    if (!passed) Deno.exitCode = 1;
  }
}
