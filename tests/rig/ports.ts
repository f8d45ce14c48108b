// Free ports for the servers of a test, on Deno and on Bun.
//
// They lie below those that the kernel gives to outgoing connections (ip_local_port_range begins at 32768). So no
// connection takes one between its choice and its use. `deno task test` gives each test file that runs at the same time
// its own range, in POSTPROX_TEST_PORTS.

import { createServer } from "node:net";
import process from "node:process";

const [FIRST = 20_000, LAST = 31_999] = (process.env["POSTPROX_TEST_PORTS"] ?? "").split("-").filter(Boolean)
  .map(Number);

let next = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));

/** A part of our range, for another process that looks for free ports: the `at`th of `count` parts, as FIRST-LAST. */
export function rangeOf(at: number, count: number): string {
  const width = Math.floor((LAST - FIRST + 1) / count);
  return `${FIRST + at * width}-${FIRST + (at + 1) * width - 1}`;
}

/** A port of 127.0.0.1 on which nobody listens. None comes twice before all others of the range have come. */
export async function freePort(): Promise<number> {
  for (let tries = LAST - FIRST; tries >= 0; tries--) {
    const port = next;
    next = port < LAST ? port + 1 : FIRST;
    if (await isFree(port)) return port;
  }
  throw new Error(`No port from ${FIRST} to ${LAST} is free`);
}

/** So many of them. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
