// Calls on standard input and output. These cannot be closed while a call waits on them. So the call is abandoned, and
// its late result is dropped.

import { IoError } from "../../ports/io_error.ts";

export class OpenCalls {
  readonly #waiting = new Set<(error: IoError) => void>();
  #closed: IoError | undefined;

  /** The result of `call`. Throws an `IoError` of kind `closed` after `close`. */
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
