// Serves mail in a worker: listen mode on the sockets that the supervisor holds.
//
// The supervisor has looked at everything that is the same for all workers, and writes the lines about the start.

import type { ListWatch } from "../dns/list_watch.ts";
import { join } from "../modes/bind.ts";
import { listenMode } from "../modes/listen.ts";
import type { WorkerSide } from "../modes/worker.ts";
import { orTempfail } from "../ports/start_error.ts";
import type { SessionParts } from "../session/session.ts";
import type { Checks } from "../settings/load_checks.ts";
import type { Settings } from "../settings/settings.ts";
import { limitsOf, newListWatch } from "./listen.ts";

/** Runs listen mode until the supervisor or a signal says to stop. Returns its exit status. Throws a `StartError`. */
export async function work(
  parts: SessionParts & Checks,
  { settings, worker }: { readonly settings: Settings; readonly worker: WorkerSide },
): Promise<number> {
  const { network } = parts.runtime;
  const limits = limitsOf(settings);
  worker.places.limit = limits.maxClients;
  parts.judge.start?.();
  const watch: ListWatch | undefined = await newListWatch(parts);
  const counting = worker.counts ? await countIn(parts, worker) : undefined;
  const listening = listenMode(parts, {
    ...limits,
    places: worker.places,
    listen: async () => join(await Promise.all(worker.sockets.map((socket) => network.listenInherited(socket)))),
    onReady: (state) => {
      counting?.(state);
      worker.ready();
      watch?.ask();
    },
    // New settings come with new workers. The signal opens the log file again.
    remake: async () => {
      watch?.ask();
      return { outcome: { isDone: true, needsRestart: [] } };
    },
  });
  const status = await orTempfail("--workers", listening, () => "try again");
  worker.saySnapshot();
  return status;
}

// What counts is loaded only if somebody wants to see the numbers.
async function countIn({ runtime: { clock }, logger }: SessionParts, worker: WorkerSide) {
  return (await import("./shared_counts.ts")).countInWorker({ clock, logger }, worker);
}
