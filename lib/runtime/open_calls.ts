// Calls on standard input and output, which cannot be closed under a call that waits: it is let go instead, and its result
// is dropped when it comes.

import { IoError } from "./io_error.ts";

const CLOSED = new IoError("closed", "standard input and output are closed");

export class OpenCalls {
  readonly #waiting = new Set<(error: IoError) => void>();
  #closed = false;

  /** What `call` gives; `IoError` of kind `closed` once `close` has been called. */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(CLOSED);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      call().then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  close(): void {
    this.#closed = true;
    for (const fail of this.#waiting) fail(CLOSED);
  }
}
