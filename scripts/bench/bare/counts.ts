// Does something as often as each line on standard input says, and then writes a line.

import process from "node:process";

export function onCounts(run: (count: number) => Promise<void> | void): void {
  process.stdin.on("data", async (line: Uint8Array) => {
    await run(Number(new TextDecoder().decode(line)));
    process.stdout.write("done\n");
  });
  process.stdin.on("end", () => process.exit(0));
}
