// The options of listen mode: whether they make sense together, and whether their addresses exclude each other, however
// they are spelled.

import { isOwnServer, type OwnServerPorts } from "../modes/own_server.ts";
import type { Setting } from "../options/table.ts";
import { formatAddress } from "../ports/address.ts";
import type { Address, Runtime } from "../ports/runtime.ts";
import { Mistakes, UsageError } from "../ports/start_error.ts";
import { SETTINGS } from "../settings/settings.ts";
import type { Call } from "./command.ts";

type Line = Pick<Call["line"], "settings" | "given">;

/** Throws a `UsageError` with all mistakes. `downstream` is the server, if it is known. */
export async function checkListenOptions(
  runtime: Runtime,
  line: Line,
  downstream: Address | undefined,
): Promise<void> {
  const { address, metrics } = line.settings.listen;
  const mistakes = new Mistakes();
  for (const message of address ? mistakesWith(runtime, line, address) : mistakesWithout(line)) {
    mistakes.add(new UsageError(message));
  }
  // The supervisor has looked already.
  if (address && metrics && !runtime.workerSockets) {
    await mistakes.of(() => refuseMetricsForMail(runtime, metrics, { address, downstream }));
  }
  mistakes.throwAll();
}

function mistakesWith(
  { stdio }: Runtime,
  { settings: { helper, listen }, given }: Line,
  { transport }: Address,
): string[] {
  const found: string[] = [];
  // The command line may take the helper of a file away. What the file says of its count then does no harm.
  const { command, count } = SETTINGS.helper;
  if (helper.command === "" && isGiven(given, count, helper.count) && !given.some(({ row }) => row === command)) {
    found.push("option --helpers: no helper is asked: give --helper=COMMAND too");
  }
  if (transport === "tcp" && listen.metrics?.transport !== "unix" && listen.socketMode !== undefined) {
    found.push("option --socket-mode is for unix sockets, and -l is a port: give -l unix:PATH, or leave it out");
  }
  if (stdio.isSpawned() && stdio.isErrInput()) {
    found.push("option -l, --listen: standard input is a mail client, as under spawn(8): leave -l out there");
  }
  return found;
}

// Options that make no sense where each message has a process of its own.
function mistakesWithout({ settings: { helper, listen }, given }: Line): string[] {
  const asMode = " is for listen mode: give -l [IP:]PORT as well";
  const stays = ": programs that stay are for listen mode: give -l as well, or -c instead";
  const rows: readonly (readonly [row: Setting<unknown>, value: unknown, hint: string])[] = [
    // A service with a forgotten -l would otherwise wait for mail on its standard input.
    [SETTINGS.listen.foreground, listen.foreground, asMode],
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
  return rows.flatMap(([row, value, hint]) => isGiven(given, row, value) ? `option --${row.long}${hint}` : []);
}

// A file may have all defaults, as --print-config shows them.
function isGiven(given: Line["given"], row: Setting<unknown>, value: unknown): boolean {
  return value !== row.default || (value !== "" && given.some((one) => one.row === row));
}

/** Throws a `UsageError` if `metrics` is where mail comes to, or where it goes on to. */
async function refuseMetricsForMail(
  ports: OwnServerPorts,
  metrics: Address,
  { address, downstream }: { readonly address: Address; readonly downstream: Address | undefined },
): Promise<void> {
  const refuse = (why: string) => {
    throw new UsageError(`option --metrics: ${why}: give --metrics another address`);
  };
  const at = formatAddress(metrics);
  // Each of the two may be the one with a wildcard.
  if (await isOwnServer(ports, address, metrics) || await isOwnServer(ports, metrics, address)) {
    refuse(`mail comes to ${formatAddress(address)}, so nothing else can listen at ${at}`);
  }
  if (downstream && await isOwnServer(ports, metrics, downstream)) {
    refuse(`the server ${formatAddress(downstream)} is at ${at}`);
  }
}
