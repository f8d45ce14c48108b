// Starts /bin/true as often as each line on standard input says (counts.ts), ten at a time.
//
//     start.ts               starts it, and waits for its end
//     start.ts DIRECTORY     runs it as a filter (filter.ts), each with 5 kB in a file in this directory

import process from "node:process";
import { bun } from "./api.ts";
import { onCounts } from "./counts.ts";
import { filter } from "./filter.ts";

const TOGETHER = 10;
const MESSAGE = new Uint8Array(5_000);

const [directory] = process.argv.slice(2);
const run = directory === undefined ? start : () => filter(directory, MESSAGE);

onCounts(async (count) => {
  let left = count;
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    while (left-- > 0) await run();
  }));
});

async function start(): Promise<void> {
  if (bun) await bun.spawn(["/bin/true"], { stdio: ["ignore", "ignore", "ignore"] }).exited;
  else await new Deno.Command("/bin/true", { stdin: "null", stdout: "null", stderr: "null" }).spawn().status;
}
