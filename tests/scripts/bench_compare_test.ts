// How the benchmarks compare: turns, ratios and their spread, and the processor time of processes.

import assert from "node:assert/strict";
import {
  quantile,
  rateOfBoth,
  ratios,
  spreadOf,
  takeTurns,
  takeWarmTurns,
  warmUp,
} from "../../scripts/bench/compare.ts";
import { parseStat, processorTime } from "../../scripts/bench/processor_time.ts";

Deno.test("ways take turns, and another one begins in each round", async () => {
  const order: string[] = [];
  const values = await takeTurns(["a", "b", "c"], (way, round) => {
    order.push(way);
    return Promise.resolve(`${way}${round}`);
  }, 4);
  assert.equal(order.join(""), "abcbcacababc");
  assert.deepEqual(values, [["a0", "a1", "a2", "a3"], ["b0", "b1", "b2", "b3"], ["c0", "c1", "c2", "c3"]]);
});

Deno.test("each way that is compiled gets warm before the next one, and a short run does it once", async () => {
  const order: string[] = [];
  const turn = ({ name }: { name: string }) => Promise.resolve(order.push(name));
  const ways = ["Bun", "socat", "Deno"].map((name) => ({ name }));
  await warmUp(ways, turn, { isShort: true });
  assert.equal(order.join(""), "BunsocatDeno");
  await warmUp(ways, turn, { isShort: false });
  assert.match(order.join(""), /^BunsocatDeno(?:Bun){20,}socat(?:Deno){20,}$/);
});

Deno.test("a turn that counts follows one that does not, except in a short run", async () => {
  for (const [isShort, expected] of [[true, "ab.ab"], [false, "ab.aabb"]] as const) {
    let order = "";
    const measure = ({ name }: { name: string }) => Promise.resolve((order += name).length);
    const values = await takeWarmTurns([{ name: "a" }, { name: "b" }], measure, { rounds: 1, isShort });
    assert.equal(`${order.slice(0, 2)}.${order.slice(2)}`, expected);
    assert.deepEqual(values, isShort ? [[3], [4]] : [[4], [6]]);
  }
});

Deno.test("a ratio is that of one round", () => {
  assert.deepEqual(ratios([2, 9, 4], [1, 3, 8]), [2, 3, 0.5]);
});

Deno.test("what does two things one after the other has the time of both", () => {
  assert.deepEqual(rateOfBoth([4, 100], [4, 25]), [2, 20]);
});

const SPREADS: [values: number[], middle: number, low: number, high: number][] = [
  [[5], 5, 5, 5],
  [[1, 2], 1.5, 1, 2],
  [[10, 9, 1], 9, 1, 10],
  [[100, 2, 4, 3], 3.5, 2, 100],
];

for (const [values, middle, low, high] of SPREADS) {
  Deno.test(`the spread of ${values.join(", ")}`, () => assert.deepEqual(spreadOf(values), { middle, low, high }));
}

Deno.test("there is no spread of nothing", () => assert.throws(() => spreadOf([])));

const HUNDRED = Array.from({ length: 100 }, (_, at) => 100 - at);

const QUANTILES: [values: number[], share: number, value: number][] = [
  [HUNDRED, 0.5, 51],
  [HUNDRED, 0.99, 100],
  [HUNDRED, 0, 1],
  [HUNDRED, 1, 100],
  [[7], 0.99, 7],
];

for (const [values, share, value] of QUANTILES) {
  Deno.test(`the quantile ${share} of ${values.length} values`, () => assert.equal(quantile(values, share), value));
}

Deno.test("the name of a process may look like the fields behind it", () => {
  const rest = `S 77 ${"0 ".repeat(9)}1 20 300 4000 ${"9 ".repeat(30)}`;
  assert.deepEqual(parseStat(`12 (a) R 1 ( b)) ${rest}`), { parent: 77, ticks: 21, waitedTicks: 4300 });
});

Deno.test("the time of a child that has ended is that of its parent, and others do not count", async () => {
  // The shell waits for one busy child, and starts another one that it does not wait for.
  const busy = `i=0; while [ $i -lt 500000 ]; do i=$((i+1)); done`;
  const script = `sh -c '${busy}'; sh -c 'read -r line' & read -r line; kill $!; wait`;
  const before = processorTime([Deno.pid]);
  const child = new Deno.Command("sh", { args: ["-c", `${script}`], stdin: "piped" }).spawn();
  const idle = new Deno.Command("sh", { args: ["-c", "read -r line"], stdin: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  try {
    while (processorTime([child.pid]) < 50) await new Promise((again) => setTimeout(again, 10));
    const [mine, all, other] = [[child.pid], [Deno.pid], [idle.pid]].map((pids) => processorTime(pids));
    assert.ok(mine! >= 50 && all! - before >= mine!, `${mine} of ${all! - before}`);
    assert.ok(other! < 50, `${other}`);
    assert.equal(processorTime([child.pid, child.pid, Deno.pid]) >= all!, true);
  } finally {
    await writer.close();
    await idle.stdin.close();
    await Promise.all([child.status, idle.status]);
  }
});
