// The server and the settings to serve mail with, by the words of a command line. They are checked here before anything
// starts.

import { parseDownstream } from "../ports/address.ts";
import type { Setting } from "../options/table.ts";
import type { Address, Runtime } from "../ports/runtime.ts";
import { UsageError } from "../ports/start_error.ts";
import type { SessionOptions } from "../session/session.ts";
import { SETTINGS, type Settings } from "../settings/settings.ts";
import { quote } from "../text/quoting.ts";
import type { Call } from "./command.ts";

export interface Serving {
  readonly settings: Settings;
  readonly options: SessionOptions;
}

/**
 * Reads what a command line says about serving. With a socket at the address `inherited`, that is used in place of -l.
 * Throws a `UsageError`.
 */
export async function servingOf(
  runtime: Runtime,
  { line, nextHop }: Pick<Call, "line" | "nextHop">,
  inherited?: Address,
): Promise<Serving> {
  if (line.wrong) throw line.wrong;
  const { listen } = line.settings;
  const settings = {
    ...line.settings,
    // Another process would not have the socket.
    listen: inherited ? { ...listen, address: inherited, foreground: true } : listen,
  };
  const options = await sessionOptions(settings, parseOperands(line.operands, nextHop));
  await checkServing(runtime, { settings, given: line.given }, options.downstream);
  return { settings, options };
}

/** Finds out without a start whether a server can start with the settings of a line. Throws a `UsageError`. */
export async function checkServing(
  runtime: Runtime,
  line: Pick<Call["line"], "settings" | "given">,
  downstream: Address,
): Promise<void> {
  const { address, foreground, metrics, socketMode } = line.settings.listen;
  // A service with a forgotten -l would otherwise wait for mail on its standard input.
  if (foreground && !address) throw new UsageError("option --foreground is for listen mode: give -l [IP:]PORT as well");
  if (!address) refuseListenOptions(line);
  if (address?.transport === "tcp" && metrics?.transport !== "unix" && socketMode !== undefined) {
    throw new UsageError(
      "option --socket-mode is for unix sockets, and -l is a port: give -l unix:PATH, or leave it out",
    );
  }
  if (address && runtime.stdio.isSpawned() && runtime.stdio.isErrInput()) {
    throw new UsageError("option -l, --listen: standard input is a mail client, as under spawn(8): leave -l out there");
  }
  // The supervisor has looked already.
  if (address && metrics && !runtime.workerSockets) {
    const { refuseMetricsForMail } = await import("./listen_addresses.ts");
    await refuseMetricsForMail(runtime, metrics, { address, downstream });
  }
}

/** The server that the operands name, or else that of a configuration file. Throws a `UsageError`. */
export function parseOperands([operand, second]: readonly string[], nextHop?: string): Address {
  const hint = "see postprox --help";
  if (second !== undefined) throw new UsageError(`one server is enough, ${quote(second)} is a second one: ${hint}`);
  const server = operand ?? nextHop;
  if (server === undefined) {
    throw new UsageError(`no server is named: give HOST:PORT, or next-hop in a file of --config, ${hint}`);
  }
  return parseDownstream(server);
}

// Options that make no sense where each message has a process of its own.
function refuseListenOptions({ settings: { helper, listen }, given }: Pick<Call["line"], "settings" | "given">): void {
  const asMode = " is for listen mode: give -l [IP:]PORT as well";
  const stays = ": programs that stay are for listen mode: give -l as well, or -c instead";
  const rows: readonly (readonly [row: Setting<unknown>, value: unknown, hint: string])[] = [
    [SETTINGS.helper.command, helper.command, stays],
    [SETTINGS.helper.count, helper.count, stays],
    [SETTINGS.listen.pidFile, listen.pidFile, asMode],
    [SETTINGS.listen.maxClients, listen.maxClients, `${asMode}, or maxproc in master.cf`],
    [SETTINGS.listen.maxFilters, listen.maxFilters, asMode],
    [SETTINGS.listen.drainTimeout, listen.drainTimeout, asMode],
    [SETTINGS.listen.metrics, listen.metrics, asMode],
    [SETTINGS.listen.socketMode, listen.socketMode, asMode],
    [SETTINGS.listen.workers, listen.workers, asMode],
    [SETTINGS.listen.user, listen.user, `${asMode}, or user= in master.cf`],
  ];
  for (const [row, value, hint] of rows) {
    // A file may have all defaults, as --print-config shows them.
    const isGiven = value !== row.default || (value !== "" && given.some((one) => one.row === row));
    if (isGiven) throw new UsageError(`option --${row.long}${hint}`);
  }
}

async function sessionOptions(settings: Settings, downstream: Address): Promise<SessionOptions> {
  const { session, spool, judging: { bypass } } = settings;
  const options = { ...session, downstream, spoolDirectory: spool.directory };
  if (session.tarpitAfter === 0 || bypass.length === 0) return options;
  const { isInAny } = await import("../text/network.ts");
  const networks = bypass.flatMap(({ networks }) => networks);
  return { ...options, isSpared: (address) => isInAny(networks, address) };
}
