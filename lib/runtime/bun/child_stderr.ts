// Standard error of a child on Bun.
//
// Most children end soon and say little. That fits into the pipe, so one read at the end takes it, and no stream has to
// be made. A child that goes on could fill the pipe, and then it would have to wait. So after a moment a stream reads.

import * as fs from "node:fs";
import { bun, codeOf, giveBack, ioError } from "./api.ts";
import { giveRoom, ROOM, takeRoom } from "../../text/rooms.ts";

const { O_NONBLOCK, O_RDONLY } = fs.constants;

// Milliseconds.
const MOMENT = 50;

export class ChildStderr {
  readonly #exited: Promise<unknown>;
  /** The reading end of a pipe. */
  readonly #pipe: number | undefined;
  /** A read from the pipe may wait. */
  readonly #waits: boolean = false;
  #stream: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isOpen = true;
  #takeBack = () => {};

  /** Reads from a stream, or from the descriptor of a pipe, which it will close. `exited` comes when the child has ended. */
  constructor(from: ReadableStream<Uint8Array> | number, exited: Promise<unknown>) {
    this.#exited = exited;
    if (typeof from !== "number") {
      this.#stream = from.getReader();
      return;
    }
    const pipe = withoutWaiting(from);
    this.#pipe = pipe ?? from;
    this.#waits = pipe === undefined;
  }

  /** Use the octets before the next call. Null at the end and after `close`. Throws an `IoError`. */
  async read(): Promise<Uint8Array | null> {
    this.#takeBack();
    this.#takeBack = () => {};
    try {
      const isAtEnd = !this.#stream && !this.#waits && await comesSoon(this.#exited);
      let octets = isAtEnd ? this.#readAtEnd() : undefined;
      if (octets === undefined) octets = await this.#readStream();
      if (octets === null) this.close();
      return octets;
    } catch (error) {
      throw ioError(error, "cannot read standard error");
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    void this.#stream?.cancel().catch(() => {});
    if (this.#pipe !== undefined) fs.closeSync(this.#pipe);
  }

  // Undefined if nothing is there now, but some other process may still write.
  #readAtEnd(): Uint8Array | null | undefined {
    if (!this.#isOpen) return null;
    const room = takeRoom(ROOM);
    this.#takeBack = () => giveRoom(room);
    try {
      const count = fs.readSync(this.#pipe!, room);
      return count === 0 ? null : room.subarray(0, count);
    } catch (error) {
      if (codeOf(error) === "EAGAIN") return undefined;
      throw error;
    }
  }

  async #readStream(): Promise<Uint8Array | null> {
    if (!this.#isOpen) return null;
    // The stream makes its own copy of the descriptor, and closes that.
    this.#stream ??= bun.file(this.#pipe!).stream().getReader();
    const { value } = await this.#stream.read();
    if (value) this.#takeBack = () => giveBack(value);
    return value ?? null;
  }
}

/** Opens the reading end `pipe` anew, so that a read does not wait, and closes `pipe`. Undefined if there is no /proc. */
function withoutWaiting(pipe: number): number | undefined {
  try {
    const other = fs.openSync(`/proc/self/fd/${pipe}`, O_RDONLY | O_NONBLOCK);
    fs.closeSync(pipe);
    return other;
  } catch {
    return undefined;
  }
}

function comesSoon(promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, MOMENT, false);
    void promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
