// The pages of --metrics: what they show, and where it comes from. Loaded only with --metrics.
//
// They are served before mail is taken, and until listen mode has ended. So a monitor hears that postprox starts or ends.

import type { Logger } from "../log/logger.ts";
import { plainText, type Response } from "../metrics/http.ts";
import type { Snapshot } from "../metrics/snapshot.ts";
import { CONTENT_TYPES, formatMetrics, wantedFormat } from "../metrics/text.ts";
import { bind } from "../modes/bind.ts";
import { Health, nextHopProbe, type Probe, scannerProbe, spoolProbe } from "../modes/health.ts";
import { type Page, serveHttp } from "../modes/http_server.ts";
import type { Address, Listener, Runtime } from "../ports/runtime.ts";
import { orTempfail } from "../ports/start_error.ts";
import type { SessionOptions } from "../session/session.ts";
import { askedChecks } from "../settings/load_judge.ts";
import type { Settings } from "../settings/settings.ts";
import { escapeText } from "../text/quoting.ts";
import { StatusPage } from "./status_page.ts";

/** What the pages show. */
export interface StatusSource {
  /** What was counted until now. */
  snapshot(): Snapshot | Promise<Snapshot>;
  /** Why the program itself takes no mail, in plain words; undefined if it does. */
  ownFault(): string | undefined;
  /** What the sessions that begin now use. It may change with a reload. */
  setup(): Setup;
}

export interface Setup {
  readonly options: Pick<SessionOptions, "downstream" | "spoolDirectory">;
  readonly settings: Settings;
}

interface Parts {
  readonly runtime: Runtime;
  readonly logger: Logger;
}

/** Serves the pages at `address`. The result ends that. Throws a `StartError`. */
export async function startStatus(
  { runtime, logger }: Parts,
  address: Address,
  source: StatusSource,
): Promise<Pick<Listener, "close">> {
  const { socketMode } = source.setup().settings.listen;
  const listener = await orTempfail("--metrics", bind(runtime, logger, address, socketMode), ({ kind }) => {
    if (address.transport === "unix") {
      return "give a path in a writable directory, and no other program may listen there";
    }
    return `give an address of this host and ${kind === "denied" ? "a port above 1023" : "a free port"}`;
  });
  const health = new Health(runtime.clock, () => probesOf(runtime, source.setup()));
  const faults = async () => {
    const own = source.ownFault();
    return own === undefined ? await health.faults() : [own];
  };
  const page = new StatusPage(runtime, async () => ({ snapshot: await source.snapshot(), faults: await faults() }));
  const pages = new Map<string, Page>([
    ["/metrics", async ({ accept }) => metricsPage(await source.snapshot(), accept)],
    ["/healthz", async () => healthPage(await faults())],
    ["/", () => page.response()],
  ]);
  void serveHttp({ clock: runtime.clock, logger }, listener, pages);
  return listener;
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
