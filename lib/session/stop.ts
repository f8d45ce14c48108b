// The end of a session before its time: whether it has come, and why.
//
// It is a small AbortSignal. Each idle session has one, and on Deno an AbortSignal that was listened to takes 500 octets more.

const NOBODY: readonly (() => void)[] = [];

export class Stop {
  #reason: Error | undefined;
  #callbacks = NOBODY;

  /** Why the session has to end; undefined if it has not. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  throwIfCome(): void {
    if (this.#reason) throw this.#reason;
  }

  /** The end comes. Only the first reason counts. */
  come(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    for (const callback of this.#callbacks) callback();
  }

  /** Calls `callback` when the end comes, but not if it has come before. The result prevents that. */
  on(callback: () => void): () => void {
    this.#callbacks = [...this.#callbacks, callback];
    return () => {
      this.#callbacks = this.#callbacks.filter((other) => other !== callback);
    };
  }
}
