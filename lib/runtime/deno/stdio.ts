// Standard input and output on Deno: one socket under spawn(8), or something else.
//
// A `read` from standard input cannot be cancelled. So `close` abandons it, and the process ends.

import { after } from "./api.ts";
import { failRead, writeAll } from "./sockets.ts";
import { OpenCalls } from "../shared/open_calls.ts";
import type { Conn } from "../../ports/runtime.ts";
import { socketPeer } from "../shared/socket_peer.ts";

// A non-blocking socket says "try again" where others wait. Its owner has made it so.
const AGAIN_DELAY = 5;

/** Standard input and output. They cannot be closed while a call waits on them, so `close` abandons that call. */
export class StdioConn implements Conn {
  #peer: string | undefined;
  readonly #calls = new OpenCalls();

  get peer(): string | undefined {
    this.#peer ??= socketPeer(0, { link: Deno.readLinkSync, text: Deno.readTextFileSync }) ?? "";
    return this.#peer || undefined;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#calls.run(() => patiently(() => Deno.stdin.read(into)).catch(failRead));
  }

  write(octets: Uint8Array): Promise<void> {
    return this.#calls.run(() => writePatiently(Deno.stdout, octets));
  }

  close(): void {
    this.#calls.close();
  }
}

async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await new Promise<void>((resolve) => after(AGAIN_DELAY, resolve));
    }
  }
}

type Writer = Pick<typeof Deno.stdout, "write">;

function writePatiently(stream: Writer, octets: Uint8Array): Promise<void> {
  return writeAll({ write: (some) => patiently(() => stream.write(some)) }, octets);
}

export function appendErr(octets: Uint8Array): Promise<void> {
  return writePatiently(Deno.stderr, octets);
}

export function isSpawned(): boolean {
  try {
    return Deno.statSync("/dev/stdin").isSocket === true && isOne("/dev/stdin", "/dev/stdout");
  } catch {
    return false;
  }
}

export function isErrInput(): boolean {
  try {
    return isOne("/dev/stdin", "/dev/stderr");
  } catch {
    return false;
  }
}

export function isErrJournal(): boolean {
  try {
    const { dev, ino } = Deno.statSync("/dev/stderr");
    return Deno.env.get("JOURNAL_STREAM") === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

function isOne(path: string, other: string): boolean {
  const [one, two] = [Deno.statSync(path), Deno.statSync(other)];
  return one.ino === two.ino && one.dev === two.dev;
}

export function writeSync(stream: { writeSync(octets: Uint8Array): number }, text: string): void {
  const octets = new TextEncoder().encode(text);
  for (let written = 0; written < octets.length;) written += stream.writeSync(octets.subarray(written));
}
