// The command that serves mail: it opens the log, loads the checks, and runs a mode until the mode ends.
//
// In spawn mode each message has a process of its own. So the other modes are loaded only if they are wanted.

import { type LogTarget, openLogger, SYSLOG } from "../log/sinks.ts";
import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import type { InheritedSocket } from "../modes/inherited.ts";
import { spawnMode } from "../modes/spawn.ts";
import { formatAddress, parseDownstream } from "../ports/address.ts";
import type { Account, Address, FileFacts, Files, Runtime } from "../ports/runtime.ts";
import { orTempfail, UsageError } from "../ports/start_error.ts";
import type { SessionOptions } from "../session/session.ts";
import { loadChecks } from "../settings/load_checks.ts";
import { SETTINGS, type Settings } from "../settings/settings.ts";
import { startSpoolDirectory } from "../spool/directory.ts";
import { quote } from "../text/quoting.ts";
import type { Call, Command } from "./command.ts";

export const serve: Command = async ({ runtime, args, line, nextHop, reread, worker }) => {
  const socket = await inheritedSocket(runtime, { line, worker });
  const { settings, options } = await servingOf({ line, nextHop }, socket);
  await checkServing(runtime, settings);
  const { address, foreground, user } = settings.listen;
  // A worker's supervisor has done that.
  const account = user === undefined || worker
    ? undefined
    : await (await import("./run_as.ts")).accountToBecome(runtime, user);
  // Root can use every directory. So that user looks at it, as soon as this process is that user.
  const spool = account ? undefined : await startSpool(runtime, settings);
  if (address && !foreground && !worker) {
    const { backgroundMode } = await import("../modes/background.ts");
    const behind = backgroundMode(runtime, args, settings.log.target.kind === "stderr");
    return await orTempfail("-l, --listen", behind, () => "try again, or give --foreground");
  }
  const logger = await openLog(runtime, settings, account);
  const rereadServing = async (files?: Files) => {
    const serving = await servingOf(await reread(files), socket);
    await checkServing(runtime, serving.settings);
    // Root can use every directory.
    const isUser = !account || runtime.privileges.uid() === account.uid;
    if (isUser) await startSpool(runtime, serving.settings);
    return serving;
  };
  if (spool?.isEverybodys && !worker) tell(logger, "openSpool", settings.spool);
  if (address && settings.listen.workers !== undefined && !worker) {
    const { supervise } = await import("./supervise.ts");
    const supervising = supervise({ runtime, logger, args, address, socket, account, reread: rereadServing });
    return await supervising.finally(() => logger.flush());
  }
  const checks = await loadChecks({ runtime, logger, filterTurns: worker?.turns }, settings);
  const parts = { runtime, logger, ...checks, options };
  try {
    if (!address) return await spawnMode(parts);
    if (worker) {
      const { work } = await import("./work.ts");
      return await work(parts, { settings, worker });
    }
    const { startListening } = await import("./listen.ts");
    return await startListening(parts, { settings, address, socket, account, reread: rereadServing });
  } finally {
    await checks.judge.retire?.();
    await logger.flush();
  }
};

// The service manager says for which process the socket is meant. A worker needs it only if nothing else says that this is
// listen mode.
async function inheritedSocket(
  runtime: Runtime,
  { line, worker }: Pick<Call, "line" | "worker">,
): Promise<InheritedSocket | undefined> {
  const isWanted = worker
    ? line.settings.listen.address === undefined
    : runtime.variable("LISTEN_PID") === String(runtime.pid);
  if (!isWanted) return undefined;
  return await (await import("../modes/inherited.ts")).inheritSocket(runtime, worker?.sockets);
}

/** The server and the settings to serve with. A socket that we were given is used in place of -l. Throws a `UsageError`. */
async function servingOf(
  { line: { settings: given, operands, wrong }, nextHop }: Pick<Call, "line" | "nextHop">,
  socket: InheritedSocket | undefined,
) {
  if (wrong) throw wrong;
  // Another process would not have the socket.
  const listen = socket ? { ...given.listen, address: socket.address, foreground: true } : given.listen;
  const settings = { ...given, listen };
  return { settings, options: await sessionOptions(settings, parseOperands(operands, nextHop)) };
}

/** Finds out without a start whether a server can start with `settings`. Throws a `StartError`. */
export async function checkServing(runtime: Runtime, settings: Settings): Promise<void> {
  const { address, foreground, metrics, socketMode } = settings.listen;
  // A service with a forgotten -l would otherwise wait for mail on its standard input.
  if (foreground && !address) throw new UsageError("option --foreground is for listen mode: give -l [IP:]PORT as well");
  if (!address) refuseListenOptions(settings);
  if (address?.transport === "tcp" && metrics?.transport !== "unix" && socketMode !== undefined) {
    throw new UsageError(
      "option --socket-mode is for unix sockets, and -l is a port: give -l unix:PATH, or leave it out",
    );
  }
  if (address && runtime.stdio.isSpawned() && runtime.stdio.isErrInput()) {
    throw new UsageError("option -l, --listen: standard input is a mail client, as under spawn(8): leave -l out there");
  }
  if (address && metrics && formatAddress(address) === formatAddress(metrics)) {
    throw new UsageError(`option --metrics: mail comes to ${formatAddress(metrics)}: give --metrics another address`);
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
function refuseListenOptions({ helper, listen }: Settings): void {
  const asMode = "is for listen mode: give -l [IP:]PORT as well";
  const rows: readonly (readonly [option: string, isGiven: boolean, hint: string])[] = [
    ["--helper", helper.command !== "", ": programs that stay are for listen mode: give -l as well, or -c instead"],
    ["--pid-file", listen.pidFile !== undefined, ` ${asMode}`],
    ["--max-filters", listen.maxFilters !== undefined, ` ${asMode}`],
    ["--drain-timeout", listen.drainTimeout !== SETTINGS.listen.drainTimeout.default, ` ${asMode}`],
    ["--metrics", listen.metrics !== undefined, ` ${asMode}`],
    ["--socket-mode", listen.socketMode !== undefined, ` ${asMode}`],
    ["--workers", listen.workers !== undefined, ` ${asMode}`],
    ["--user", listen.user !== undefined, ` ${asMode}, or user= in master.cf`],
  ];
  for (const [option, isGiven, hint] of rows) if (isGiven) throw new UsageError(`option ${option}${hint}`);
}

async function sessionOptions(settings: Settings, downstream: Address): Promise<SessionOptions> {
  const { session, spool, judging: { bypass } } = settings;
  const options = { ...session, downstream, spoolDirectory: spool.directory };
  if (session.tarpitAfter === 0 || bypass.length === 0) return options;
  const { isInAny } = await import("../text/network.ts");
  const networks = bypass.flatMap(({ networks }) => networks);
  return { ...options, isSpared: (address) => isInAny(networks, address) };
}

// In listen mode a full disk prevents the start, so that a service manager tries again. In spawn mode a client waits
// already, and a session helps it more: a message without room gets a 452.
async function startSpool({ files, pid }: Runtime, { spool, listen }: Settings): Promise<FileFacts> {
  return await startSpoolDirectory(files, spool.directory, { pid, withContent: listen.address !== undefined });
}

async function openLog(
  runtime: Runtime,
  { log: { target, format, verbosity }, listen }: Settings,
  account: Account | undefined,
): Promise<Logger> {
  const spawned = listen.address === undefined;
  if (target.kind === "stderr" && spawned && runtime.stdio.isSpawned() && runtime.stdio.isErrInput()) {
    throw new UsageError("option --log: standard error is the client here: give syslog or the path of a file");
  }
  const others: LogTarget[] = target.kind === "file" ? [SYSLOG] : [];
  if (!spawned && target.kind !== "stderr") others.push({ kind: "stderr" });
  const open = () => openLogger(runtime, target, { verbosity, format, others });
  const opening = account && target.kind === "file"
    ? import("./run_as.ts").then(({ openLogFor }) => openLogFor(runtime, target.path, { account, open }))
    : open();
  return await orTempfail("--log", opening, () => "give a file that can be written");
}
