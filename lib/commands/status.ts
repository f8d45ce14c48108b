// The pages of --metrics: what they show, and where it comes from. Loaded only with --metrics.
//
// The meter is a witness of the log's events from the start on. The pages are served before mail is taken, and until listen
// mode has ended. So a monitor hears that postprox starts or ends.

import { addWitness } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { plainText, type Response } from "../metrics/http.ts";
import { Meter } from "../metrics/meter.ts";
import type { Snapshot } from "../metrics/snapshot.ts";
import { CONTENT_TYPES, formatMetrics, wantedFormat } from "../metrics/text.ts";
import { bind } from "../modes/bind.ts";
import { Health, nextHopProbe, type Probe, scannerProbe, spoolProbe } from "../modes/health.ts";
import { type Page, serveHttp } from "../modes/http_server.ts";
import type { ListenState } from "../modes/listen.ts";
import type { Address, Listener, Runtime } from "../ports/runtime.ts";
import type { SessionOptions } from "../session/session.ts";
import type { Checks } from "../settings/load_checks.ts";
import { askedChecks } from "../settings/load_judge.ts";
import type { Settings } from "../settings/settings.ts";
import { escapeText } from "../text/quoting.ts";
import { StatusPage } from "./status_page.ts";
import { VERSION } from "./version.ts";

/** What the sessions that begin now use. */
export interface Setup extends Pick<Checks, "filterTurns"> {
  readonly options: SessionOptions;
  readonly settings: Settings;
}

interface Parts {
  readonly runtime: Runtime;
  readonly logger: Logger;
}

export class StatusServer {
  readonly #runtime: Runtime;
  readonly #setup: () => Setup;
  readonly #meter: Meter;
  readonly #health: Health;
  #listener: Listener | undefined;
  #state: ListenState | undefined;
  #probes: readonly Probe[] = [];

  private constructor({ runtime, logger }: Parts, setup: () => Setup) {
    this.#runtime = runtime;
    this.#setup = setup;
    this.#health = new Health(runtime.clock, () => this.#probes);
    // "Deno/2.9.6" or "Bun/1.4.5".
    this.#meter = new Meter({ build: { version: VERSION, runtime: navigator.userAgent.replace("/", " ") } });
    this.#meter.gauges = { sessionsOpen: () => this.#state?.size ?? 0, filters: () => setup().filterTurns };
    addWitness(logger, this.#meter.witness);
  }

  /** Serves the pages at `address`. `setup` may give something else after a reload. Throws an `IoError`. */
  static async start(parts: Parts, address: Address, setup: () => Setup): Promise<StatusServer> {
    const status = new StatusServer(parts, setup);
    await status.reloaded();
    const { runtime: { clock }, runtime, logger } = parts;
    status.#listener = await bind(runtime, logger, address, setup().settings.listen.socketMode);
    const page = new StatusPage(runtime, async () => ({
      snapshot: status.#snapshot(),
      faults: await status.#faults(),
    }));
    const pages = new Map<string, Page>([
      ["/metrics", ({ accept }) => metricsPage(status.#snapshot(), accept)],
      ["/healthz", async () => healthPage(await status.#faults())],
      ["/", () => page.response()],
    ]);
    void serveHttp({ clock, logger }, status.#listener, pages);
    return status;
  }

  /** Connections are accepted now. */
  serves(state: ListenState): void {
    this.#state = state;
  }

  /** The setup has changed. */
  async reloaded(): Promise<void> {
    const { settings } = this.#setup();
    this.#meter.expect(askedChecks(settings).map(({ row }) => row.name));
    this.#probes = await probesOf(this.#runtime, this.#setup());
  }

  close(): void {
    this.#listener?.close();
  }

  #snapshot(): Snapshot {
    return this.#meter.snapshot();
  }

  async #faults(): Promise<readonly string[]> {
    const state = this.#state;
    if (!state) return ["postprox is starting"];
    if (state.isStopping) return ["postprox is shutting down"];
    const isFull = state.size >= state.maxClients;
    const full = isFull ? [`no more clients are served than --max-clients=${state.maxClients}`] : [];
    return [...full, ...await this.#health.faults()];
  }
}

function metricsPage(snapshot: Snapshot, accept: string | undefined): Response {
  const format = wantedFormat(accept);
  return {
    status: 200,
    type: CONTENT_TYPES[format],
    body: formatMetrics(snapshot, format),
    fields: { Vary: "Accept" },
  };
}

function healthPage(faults: readonly string[]): Response {
  if (faults.length === 0) return plainText(200, "ok: mail can be taken");
  return plainText(503, faults.map(escapeText).join("\n"));
}

// The next hop, the spool directory, and the servers of all scanners.
async function probesOf(runtime: Runtime, { settings, options }: Setup): Promise<readonly Probe[]> {
  const probes = [nextHopProbe(runtime, options.downstream), spoolProbe(runtime, options.spoolDirectory)];
  for (const { row: { name, servers }, own } of askedChecks(settings)) {
    if (!servers) continue;
    const ping = await servers.loadPing();
    probes.push(scannerProbe(runtime, { name, servers: servers.addresses(own), ping }));
  }
  return probes;
}
