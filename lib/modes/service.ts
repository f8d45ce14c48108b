// Listen mode in one process, as a service: what the service manager hears of it.

import { addWitness } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { Notifier, type NotifierPorts } from "./notifier.ts";
import { formatStanding, Tally } from "./standing.ts";

export interface Service {
  readonly notifier: Notifier;
  /** Connections are accepted. `sessions` are the open ones, from now on. */
  serves(sessions: { readonly size: number }): void;
}

/** The service counts from now on. */
export function newService(ports: NotifierPorts, logger: Logger): Service {
  const tally = new Tally();
  addWitness(logger, tally.witness);
  let open: { readonly size: number } = { size: 0 };
  const notifier = new Notifier(ports, logger, () => formatStanding(tally.standing(open.size)));
  addWitness(logger, { shutdown: ({ limit }) => notifier.stopping(limit) });
  return {
    notifier,
    serves: (sessions) => {
      open = sessions;
      notifier.ready();
    },
  };
}
