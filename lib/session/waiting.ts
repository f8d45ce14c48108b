// One side waits for the other. Waiting ends when it makes no sense any more.
//
// While the client waits, the session may have to end, also because the client leaves; the wait then throws the reason of
// the signal `stop`. A client that has sent commands ahead is still there. While downstream waits, it may leave; the wait for
// the client then throws that.

import type { Clock } from "../ports/runtime.ts";
import type { Client } from "./client.ts";
import type { Downstream } from "./downstream.ts";

export interface Waiting {
  readonly client: Client;
  readonly clock: Clock;
  /** Aborted when the session has to end; its reason says why, and what the client hears. */
  readonly stop: AbortSignal;
}

/** What `work` gives. When the wait ends before that, its signal is aborted and nobody looks at what it gives. */
export async function whileClientStays<Result>(
  { client, stop }: Pick<Waiting, "client" | "stop">,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  client.watch();
  stop.throwIfAborted();
  const aborter = new AbortController();
  const stopped = Promise.withResolvers<never>();
  const onStop = () => {
    aborter.abort(stop.reason);
    stopped.reject(stop.reason);
  };
  stop.addEventListener("abort", onStop);
  try {
    return await Promise.race([stopped.promise, work(aborter.signal)]);
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

/** Waits for `delay` milliseconds, when all that the client is owed has been sent. */
export async function pause(waiting: Waiting, delay: number): Promise<void> {
  await waiting.client.flush();
  await whileClientStays(waiting, (signal) =>
    new Promise<void>((resolve) => {
      const cancel = waiting.clock.after(delay, resolve);
      signal.addEventListener("abort", cancel);
    }));
}

/** What the client says next. Throws `DownstreamLeft` when the client is silent and downstream leaves. */
export async function whileDownstreamStays<Said>(
  { client, downstream }: { readonly client: Client; readonly downstream: Downstream },
  hear: () => Promise<Said>,
): Promise<Said> {
  if (!client.hasLine) downstream.heed((why) => client.interrupt(why));
  try {
    return await hear();
  } finally {
    downstream.heed(undefined);
  }
}
