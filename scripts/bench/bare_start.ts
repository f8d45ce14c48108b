// Starts /bin/true and waits for its end, and does nothing else: what a filter costs a program on this runtime at the least.
//
// Each line on standard input is a number. It starts so many, ten at a time, and then writes a line. On Deno and on Bun.

import process from "node:process";

interface BunApi {
  spawn(words: readonly string[], options: Record<string, unknown>): { exited: Promise<number> };
}

const bun = (globalThis as { Bun?: BunApi }).Bun;
const TOGETHER = 10;

const start = bun ? () => bun.spawn(["/bin/true"], { stdio: ["ignore", "ignore", "ignore"] }).exited : startOnDeno;

async function startOnDeno(): Promise<number> {
  const command = new Deno.Command("/bin/true", { stdin: "null", stdout: "null", stderr: "null" });
  return (await command.spawn().status).code;
}

async function startMany(count: number): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    while (left-- > 0) await start();
  }));
  process.stdout.write("done\n");
}

process.stdin.on("data", (octets: Uint8Array) => void startMany(Number(new TextDecoder().decode(octets))));
process.stdin.on("end", () => process.exit(0));
