// To have a client wait, and to notice when waiting has no sense any more.
//
// A wait ends at once when the client leaves (`ClientLost`) and when the session has to end (the reason of its signal).
// Commands that the client has sent ahead do not count as leaving.

import type { Clock } from "../runtime/ports.ts";
import type { Client } from "./client.ts";
import { ClientLost } from "./smtp_error.ts";

export interface Waiting {
  readonly client: Client;
  readonly clock: Clock;
  /** Aborted, with an `SmtpError` as its reason, when the session has to end. */
  readonly stop: AbortSignal;
}

/** What `work` gives. When the wait ends before that, its signal is aborted and nobody looks at what it gives. */
export async function whileClientStays<Result>(
  { client, stop }: Waiting,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  stop.throwIfAborted();
  const aborter = new AbortController();
  const over = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    aborter.abort(reason);
    over.reject(reason);
  };
  const onStop = () => end(stop.reason);
  stop.addEventListener("abort", onStop);
  client.watch(() => end(new ClientLost("client left while it had to wait")));
  try {
    return await Promise.race([over.promise, work(aborter.signal)]);
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
