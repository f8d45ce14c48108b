// Standard error of a child on Bun.
//
// Most children end soon and say little. That fits into the pipe, so one read at the end takes it, and no stream has to
// be made. A child that goes on could fill the pipe, and then it would have to wait. So after a moment a stream reads.

import { closeSync, readSync } from "node:fs";
import { bun, giveBack, ioError } from "./api.ts";
import type { Pipe } from "./libc.ts";
import { giveRoom, ROOM, takeRoom } from "../../text/rooms.ts";

// Milliseconds.
const MOMENT = 50;

export class ChildStderr {
  readonly #exited: Promise<unknown>;
  readonly #pipe: Pipe | undefined;
  #stream: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isOpen = true;
  #takeBack = () => {};

  /** Reads from a stream, or from a pipe, whose reading end it will close. `exited` comes when the child has ended. */
  constructor(from: ReadableStream<Uint8Array> | Pipe, exited: Promise<unknown>) {
    this.#exited = exited;
    if ("look" in from) this.#pipe = from;
    else this.#stream = from.getReader();
  }

  /** Use the octets before the next call. Null at the end and after `close`. Throws an `IoError`. */
  async read(): Promise<Uint8Array | null> {
    this.#takeBack();
    this.#takeBack = () => {};
    try {
      const isAtEnd = !this.#stream && await comesSoon(this.#exited);
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
    if (this.#pipe !== undefined) closeSync(this.#pipe.readEnd);
  }

  // Undefined if nothing is there now, but some other process may still write.
  #readAtEnd(): Uint8Array | null | undefined {
    if (!this.#isOpen) return null;
    const { readEnd, look } = this.#pipe!;
    const next = look();
    if (next !== "octets") return next === "end" ? null : undefined;
    const room = takeRoom(ROOM);
    this.#takeBack = () => giveRoom(room);
    return room.subarray(0, readSync(readEnd, room));
  }

  async #readStream(): Promise<Uint8Array | null> {
    if (!this.#isOpen) return null;
    // The stream makes its own copy of the descriptor, and closes that.
    this.#stream ??= bun.file(this.#pipe!.readEnd).stream().getReader();
    const { value } = await this.#stream.read();
    if (value) this.#takeBack = () => giveBack(value);
    return value ?? null;
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
