// One side waits for the other. A wait ends early if it makes no more sense.
//
// While the client waits, the session may have to end, for example because the client leaves. Then the wait throws the
// reason of `stop`. A client that has sent commands ahead has not left. While downstream waits for the client,
// downstream may leave. Then the wait throws `DownstreamLeft`.

import type { Clock } from "../ports/runtime.ts";
import type { Client } from "./client.ts";
import type { Downstream } from "./downstream.ts";

const NOBODY: readonly (() => void)[] = [];

/**
 * The end of a session before its time: whether it has come, and why. It is a small AbortSignal. Each idle session has one,
 * and on Deno an AbortSignal that was listened to takes 500 octets more.
 */
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

export interface Waiting {
  readonly client: Client;
  readonly clock: Clock;
  /** Comes if the session has to end. Its reason says why, and has the reply to the client. */
  readonly stop: Stop;
}

/** The result of `work`. If the wait ends early, the signal of `work` is aborted and its result is ignored. */
export async function whileClientStays<Result>(
  { client, stop }: Pick<Waiting, "client" | "stop">,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  client.watch();
  stop.throwIfCome();
  const aborter = new AbortController();
  return await unlessStopped(stop, work(aborter.signal), () => aborter.abort(stop.reason));
}

/** The result of `work`. If `stop` comes before that, calls `giveUp` and throws the reason. */
export async function unlessStopped<Result>(
  stop: Stop,
  work: Promise<Result>,
  giveUp: () => void,
): Promise<Result> {
  const stopped = Promise.withResolvers<never>();
  const onStop = () => {
    giveUp();
    stopped.reject(stop.reason);
  };
  const ignoreStop = stop.on(onStop);
  if (stop.reason) onStop();
  try {
    return await Promise.race([stopped.promise, work]);
  } finally {
    ignoreStop();
  }
}

/** Sends the replies that were held back, and then waits for `delay` milliseconds. */
export async function pause(waiting: Waiting, delay: number): Promise<void> {
  await waiting.client.flush();
  await whileClientStays(waiting, (signal) =>
    new Promise<void>((resolve) => {
      const cancel = waiting.clock.after(delay, resolve);
      signal.addEventListener("abort", cancel);
    }));
}

/** If downstream leaves, the wait for the client throws `DownstreamLeft`. After the wait, call `downstream.heed(undefined)`. */
export function heedDownstream(
  { client, downstream }: { readonly client: Client; readonly downstream: Downstream },
): void {
  if (!client.hasLine) downstream.heed((why) => client.interrupt(why));
}
