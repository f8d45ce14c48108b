// Connections that a runtime accepts by itself, until somebody asks for them.
//
// `close` loses none: those that arrived before it are still given out.

import { IoError } from "../../ports/io_error.ts";
import type { Conn } from "../../ports/runtime.ts";

export class Arrivals {
  readonly #arrived: Conn[] = [];
  #waiter: { resolve: (conn: Conn) => void; reject: (error: unknown) => void } | undefined;
  #isClosed = false;
  // Somebody has heard that no more connections come.
  #isOver = false;

  add(conn: Conn): void {
    if (this.#isOver) conn.close();
    else if (this.#waiter) this.#waiter.resolve(conn);
    else this.#arrived.push(conn);
    this.#waiter = undefined;
  }

  /** The next connection. After `close` and the last one, it throws an error of kind `closed`. */
  next(): Promise<Conn> {
    const conn = this.#arrived.shift();
    if (conn) return Promise.resolve(conn);
    if (this.#isClosed) return Promise.reject(this.#over());
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  /** The `next` that waits fails. */
  fail(error: IoError): void {
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#waiter) this.fail(this.#over());
  }

  #over(): IoError {
    this.#isOver = true;
    return new IoError("closed", "cannot accept a connection: closed");
  }
}
