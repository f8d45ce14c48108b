// To have one side wait for the other, and to notice when waiting has no sense any more.
//
// The client's wait ends when the session has to end, with the reason of its signal; that the client has left is such a
// reason. Commands that it has sent ahead do not count as leaving. A wait for the client ends when downstream leaves.

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

/** What the client says next. When it is silent and downstream leaves, this throws why. */
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
