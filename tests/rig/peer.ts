// A connection in memory: the program holds the `conn`, the test holds the `peer`.
//
// It behaves like TCP in the points that matter. Octets from before the end are read before the end. A half-close
// leaves the other direction alone. A reset drops unread octets. If the program closes during a read, the read fails
// with kind `closed`. After the peer has closed, the first write goes nowhere, and later ones fail. A read gives the
// text of one `say`, or one octet if the peer says so.

import { IoError } from "../../lib/ports/io_error.ts";
import type { Conn } from "../../lib/ports/runtime.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";
import { spelled } from "./octets.ts";
import type { Ear, Wire } from "./wire.ts";

/** The test's end of a connection. */
export class Peer implements Wire {
  /** Whether a read of the program gives one octet at a time. */
  octetByOctet = false;
  /** The connections that the program's own `close` was called on. */
  closed = false;
  /** The program's octets, write by write. */
  readonly writes: Uint8Array[] = [];

  readonly conn: Conn;

  #incoming: Uint8Array[] = [];
  #ended = false;
  #gone: "no" | "closed" | "refusing" = "no";
  #broken: IoError | undefined;
  #wakeRead: (() => void) | undefined;
  #stalled: PromiseWithResolvers<void> | undefined;
  #heard = 0;
  #ear: Ear | undefined;

  /** `address` is what the program knows of its peer. */
  constructor(address?: string) {
    this.conn = {
      read: (into) => this.#read(into),
      write: (octets) => this.#write(octets),
      close: () => this.#close(),
      ...address === undefined ? {} : { peer: address },
    };
  }

  attend(ear: Ear): void {
    this.#ear = ear;
  }

  /** Sends `octets` in one packet; text is UTF-8. */
  say(octets: string | Uint8Array): void {
    this.#incoming.push(typeof octets === "string" ? bytesOf(octets) : octets.slice());
    this.#wake();
  }

  /** The program's octets since the last call. */
  take(): Uint8Array {
    const taken = concat(this.writes.slice(this.#heard));
    this.#heard = this.writes.length;
    return taken;
  }

  /** The same as text, one character for each octet. */
  hear(): string {
    return spelled(this.take());
  }

  /** Half-close: no more is sent, the other direction stays. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Closes both directions. */
  close(): void {
    this.#ended = true;
    this.#gone = "closed";
    this.#wake();
    this.takeWrites();
  }

  /** Breaks the connection at once. */
  reset(): void {
    this.#incoming = [];
    this.#broken = new IoError("reset", "connection reset by peer");
    this.#wake();
    this.takeWrites();
  }

  /** Takes nothing from now on, so that the program's writes wait. */
  stallWrites(): void {
    this.#stalled ??= Promise.withResolvers<void>();
  }

  get isStalled(): boolean {
    return this.#stalled !== undefined;
  }

  /** Takes what was written, and goes on to do so. */
  takeWrites(): void {
    this.#stalled?.resolve();
    this.#stalled = undefined;
  }

  async #read(into: Uint8Array): Promise<number | null> {
    if (this.#wakeRead) throw new Error("two reads at a time");
    for (;;) {
      if (this.closed) throw new IoError("closed", "connection is closed");
      const [chunk] = this.#incoming;
      if (chunk && chunk.length > 0) {
        const count = Math.min(this.octetByOctet ? 1 : chunk.length, into.length);
        into.set(chunk.subarray(0, count));
        if (count === chunk.length) this.#incoming.shift();
        else this.#incoming[0] = chunk.subarray(count);
        return count;
      }
      if (this.#broken) throw this.#broken;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wakeRead = resolve);
    }
  }

  async #write(octets: Uint8Array): Promise<void> {
    if (this.closed) throw new IoError("closed", "connection is closed");
    if (this.#broken) throw this.#broken;
    if (this.#gone === "refusing") throw new IoError("reset", "broken pipe");
    if (this.#gone === "closed") {
      this.#gone = "refusing";
      return;
    }
    const copy = octets.slice();
    await this.#stalled?.promise;
    if (this.closed) throw new IoError("closed", "connection is closed");
    if (this.#broken) throw this.#broken;
    this.writes.push(copy);
    this.#ear?.heard(spelled(copy));
  }

  #close(): void {
    this.closed = true;
    this.#ear?.ended();
    this.#wake();
    this.takeWrites();
  }

  #wake(): void {
    const wake = this.#wakeRead;
    this.#wakeRead = undefined;
    wake?.();
  }
}
