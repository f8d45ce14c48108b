// Standard input and output on Bun: one socket under spawn(8), or something else.
//
// A `read` from something that is no socket cannot be cancelled. So `close` abandons it, and the process ends.

import * as fs from "node:fs";
import process from "node:process";
import { bun, codeOf, type Done, ioError, promised } from "./api.ts";
import { HANDLERS, SocketConn } from "./sockets.ts";
import { OpenCalls } from "../shared/open_calls.ts";
import type { Conn } from "../../ports/runtime.ts";
import { socketPeer } from "../shared/socket_peer.ts";

export function stdioConn(): Conn {
  if (!isSpawned()) return new StdioFileConn();
  if (isErrInput()) forgetStderr();
  return new StdioSocketConn();
}

// If the runtime crashes (a fault, no memory), it writes paths and options to descriptor 2. So descriptor 2 becomes
// another file: the next file that we open gets the lowest free number.
function forgetStderr(): void {
  fs.closeSync(2);
  try {
    fs.openSync("/dev/null", "w");
  } catch {
    // A directory always exists, and nothing can be written to it.
    fs.openSync("/", "r");
  }
}

export function isSpawned(): boolean {
  try {
    return fs.fstatSync(0).isSocket() && isOne(0, 1);
  } catch {
    return false;
  }
}

export function isErrInput(): boolean {
  try {
    return isOne(0, 2);
  } catch {
    return false;
  }
}

export function isErrJournal(): boolean {
  try {
    const { dev, ino } = fs.fstatSync(2);
    return process.env["JOURNAL_STREAM"] === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

export function isOutTerminal(): boolean {
  return process.stdout.isTTY === true;
}

function isOne(descriptor: number, other: number): boolean {
  const [one, two] = [fs.fstatSync(descriptor), fs.fstatSync(other)];
  return one.ino === two.ino && one.dev === two.dev;
}

/** Standard input and output as one socket, as under spawn(8). */
class StdioSocketConn implements Conn {
  readonly #conn = new SocketConn();
  readonly #opening: Promise<void>;
  #opened = false;
  #peer: string | undefined;

  constructor() {
    const options = { fd: 0, allowHalfOpen: true, data: this.#conn, socket: HANDLERS } as const;
    this.#opening = bun.connect(options).then((socket) => {
      this.#conn.attach(socket);
      this.#opened = true;
    }, (error) => {
      throw ioError(error, "cannot use standard input");
    });
    this.#opening.catch(() => {});
  }

  get peer(): string | undefined {
    this.#peer ??= socketPeer(0, { link: fs.readlinkSync, text: (path) => fs.readFileSync(path, "utf8") }) ?? "";
    return this.#peer || undefined;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (!this.#opened) await this.#opening;
    return await this.#conn.read(into);
  }

  async write(octets: Uint8Array): Promise<void> {
    if (!this.#opened) await this.#opening;
    await this.#conn.write(octets);
  }

  close(): void {
    this.#conn.close();
  }
}

// A non-blocking pipe says "try again" where others wait. Its owner has made it so.
const AGAIN_DELAY = 5;

/**
 * Standard input and output as anything else. They cannot be closed while a call waits, so `close` abandons that call.
 */
class StdioFileConn implements Conn {
  readonly #calls = new OpenCalls();

  read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) return Promise.resolve(0);
    return this.#calls.run(async () => {
      try {
        return await patiently((done) => fs.read(0, into, 0, into.length, null, done)) || null;
      } catch (error) {
        throw ioError(error, "cannot read");
      }
    });
  }

  write(octets: Uint8Array): Promise<void> {
    return this.#calls.run(() => writePatiently(1, octets));
  }

  close(): void {
    this.#calls.close();
  }
}

async function patiently(attempt: (done: Done) => void): Promise<number> {
  for (;;) {
    try {
      return await promised(attempt);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_DELAY));
    }
  }
}

export function appendErr(octets: Uint8Array): Promise<void> {
  return writePatiently(2, octets);
}

async function writePatiently(descriptor: number, octets: Uint8Array): Promise<void> {
  try {
    for (let from = 0; from < octets.length;) {
      from += await patiently((done) => fs.write(descriptor, octets, from, octets.length - from, null, done));
    }
  } catch (error) {
    throw ioError(error, "cannot write");
  }
}

export function writeSync(descriptor: number, text: string): void {
  const octets = new TextEncoder().encode(text);
  for (let from = 0; from < octets.length;) from += fs.writeSync(descriptor, octets, from);
}
