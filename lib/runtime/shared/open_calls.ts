// Calls on standard input and output, which cannot be closed under a call that waits: it is let go instead, and its result
// is dropped when it comes.

import { IoError } from "../../ports/io_error.ts";

export class OpenCalls {
  readonly #waiting = new Set<(error: IoError) => void>();
  #closed: IoError | undefined;

  /** What `call` gives; `IoError` of kind `closed` once `close` has been called. */
  run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      call().then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  close(): void {
    this.#closed = new IoError("closed", "standard input and output are closed");
    for (const fail of this.#waiting) fail(this.#closed);
  }
}
