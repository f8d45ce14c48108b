// Counts for the pages of --metrics, in listen mode of one process. Loaded only with --metrics.

import { addWitness } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { Meter } from "../metrics/meter.ts";
import type { Snapshot } from "../metrics/snapshot.ts";
import type { ListenState } from "../modes/listen.ts";
import type { Checks } from "../settings/load_checks.ts";
import { askedChecks } from "../settings/load_judge.ts";
import type { Settings } from "../settings/settings.ts";
import type { Setup, StatusSource } from "./status.ts";
import { VERSION } from "./version.ts";

/** A meter that counts the events of `logger` from now on. */
export function startMeter(logger: Logger): Meter {
  // "Deno/2.9.6" or "Bun/1.4.5".
  const meter = new Meter({ build: { version: VERSION, runtime: navigator.userAgent.replace("/", " ") } });
  addWitness(logger, meter.witness);
  return meter;
}

/** The names of the checks that `settings` ask for. */
export function namesOfChecks(settings: Settings): string[] {
  return askedChecks(settings).map(({ row }) => row.name);
}

export class Counts implements StatusSource {
  readonly setup: () => Setup & Pick<Checks, "filterTurns">;
  readonly #meter: Meter;
  #state: ListenState | undefined;

  /** It counts from now on. */
  constructor(logger: Logger, setup: () => Setup & Pick<Checks, "filterTurns">) {
    this.setup = setup;
    this.#meter = startMeter(logger);
    this.#meter.gauges = { sessionsOpen: () => this.#state?.size ?? 0, filters: () => setup().filterTurns };
  }

  /** Connections are accepted now. */
  serves(state: ListenState): void {
    this.#state = state;
  }

  snapshot(): Snapshot {
    this.#meter.expect(namesOfChecks(this.setup().settings));
    return this.#meter.snapshot();
  }

  ownFault(): string | undefined {
    const state = this.#state;
    if (!state) return "postprox is starting";
    if (state.isStopping) return "postprox is shutting down";
    return state.size < state.maxClients ? undefined : fullWords(state.maxClients);
  }
}

export function fullWords(maxClients: number): string {
  return `no more clients are served than --max-clients=${maxClients}`;
}
