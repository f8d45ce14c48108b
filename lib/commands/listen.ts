// Starts listen mode: checks that all is right before postprox accepts connections, and logs it.

import type { ListWatch } from "../dns/list_watch.ts";
import { tell } from "../log/events.ts";
import type { Fields } from "../log/logger.ts";
import { READY } from "../modes/background.ts";
import { bind } from "../modes/bind.ts";
import type { InheritedSocket } from "../modes/inherited.ts";
import { listenMode, type Remade } from "../modes/listen.ts";
import { isOwnServer, isReachable } from "../modes/own_server.ts";
import { removePidFile, writePidFile } from "../modes/pid_file.ts";
import { OwnPlaces } from "../modes/places.ts";
import type { ReloadServer } from "../modes/reload_server.ts";
import type { Service } from "../modes/service.ts";
import { formatAddress } from "../ports/address.ts";
import type { IoError } from "../ports/io_error.ts";
import type { Account, Address, Listener, Runtime } from "../ports/runtime.ts";
import { orTempfail, StartError, UsageError } from "../ports/start_error.ts";
import type { SessionParts } from "../session/session.ts";
import { type Checks, loadChecks } from "../settings/load_checks.ts";
import { askedChecks, checkQuarantine } from "../settings/load_judge.ts";
import { SETTINGS, type Settings } from "../settings/settings.ts";
import { startSpoolDirectory } from "../spool/directory.ts";
import { sweepSpoolDirectory } from "../spool/sweep.ts";
import type { Call } from "./command.ts";
import type { Counts } from "./counts.ts";
import { noteMissingFilter } from "./missing_filter.ts";
import { VERSION } from "./version.ts";

/** The id of the user root. */
export const ROOT = 0;

/** Runs listen mode at `address`. Returns its exit status. Throws a `StartError`. */
export async function startListening(
  parts: SessionParts & Checks,
  { settings, address, socket, account, reread }: Reloading & {
    readonly address: Address;
    /** The socket at `address` that this process was started with. */
    readonly socket: InheritedSocket | undefined;
    /** The account that this process becomes as soon as it has opened everything; absent if it stays what it is. */
    readonly account: Account | undefined;
  },
): Promise<number> {
  const { runtime, logger } = parts;
  const service = await newService(parts);
  const place = { socket: socket && "inherited" };
  let setup = { ...setupOf(parts, settings, address), ...place };
  await refuseOwnServer(parts, address);
  if (!account) await prepare(parts, settings);
  let watch = await newListWatch(parts);
  // What the process keeps for all checks, such as the state of DNS lists, outlives a reload.
  let loaded: SessionParts & Checks = parts;
  const { pidFile, metrics } = settings.listen;
  let current = settings;
  const shown = metrics && await startCounts(parts, metrics, () => ({ ...loaded, settings: current }));
  let reloadServer: ReloadServer | undefined;
  const listening = listenMode(parts, {
    listen: () =>
      socket
        ? runtime.network.listenInherited(socket.descriptor)
        : bind(runtime, logger, address, settings.listen.socketMode),
    places: new OwnPlaces(settings.listen.maxClients),
    ...limitsOf(settings),
    onReady: async (state) => {
      // Only now is there a socket that a symbolic link may lead to.
      if (address.transport === "unix") await refuseOwnServer(parts, address);
      // Root may have to make it.
      await startPidFile(runtime, pidFile);
      reloadServer = await newReloadServer(parts);
      if (account) {
        await giveUpRoot(parts, settings, account);
        await prepare(parts, settings);
      }
      tell(logger, "listening", setup);
      if (await isReachable(runtime, address)) tell(logger, "reachable", { at: address });
      if (runtime.privileges.uid() === ROOT) tell(logger, "runsAsRoot", {});
      // If the log takes no lines, the start must fail visibly.
      await logger.flush();
      service?.serves(state);
      shown?.counts.serves(state);
      sayReady(runtime, address);
      watch?.ask();
      reloadServer?.serve(state.reload);
    },
    remake: async () => {
      service?.notifier.reloading();
      const made = namesFiles(settings) ? await reload(loaded, { settings, reread }) : undefined;
      if (made && !(made instanceof StartError)) {
        loaded = { ...loaded, ...made };
        current = made.settings;
        setup = { ...setupOf(loaded, made.settings, address), ...place };
        watch ??= await newListWatch(loaded);
      }
      // After a rotation, the new log file begins with this line.
      tell(logger, "listening", setup);
      watch?.ask(loaded.dns);
      if (made instanceof StartError) {
        // It comes last, because nobody may take the line before it for a success.
        for (const why of made.message.split("\n")) tell(logger, "notReloaded", { why });
      }
      service?.notifier.ready();
      if (made instanceof StartError) return { outcome: { isDone: false, why: made.message } };
      return { made, outcome: { isDone: true, needsRestart: made?.needsRestart ?? [] } };
    },
  });
  try {
    return await orTempfail("-l, --listen", listening, listenHint(address));
  } finally {
    shown?.status.close();
    await reloadServer?.close();
    if (pidFile !== undefined) await removePidFile(runtime, pidFile);
    await service?.notifier.end();
  }
}

async function newService({ runtime, logger }: SessionParts): Promise<Service | undefined> {
  if (!runtime.variable("NOTIFY_SOCKET")) return undefined;
  return (await import("../modes/service.ts")).newService(runtime, logger);
}

/** Loaded only if there is a directory for its socket. */
export async function newReloadServer(
  { runtime, logger }: Pick<SessionParts, "runtime" | "logger">,
): Promise<ReloadServer | undefined> {
  if (!runtime.variable("RUNTIME_DIRECTORY")) return undefined;
  return await (await import("../modes/reload_server.ts")).openReloadServer(runtime, logger);
}

/** The work before the first session. The user that serves mail must be able to do it. Throws a `StartError`. */
async function prepare(parts: SessionParts & Checks, settings: Settings): Promise<void> {
  await sweep(parts, settings);
  await noteMissingFilter(parts, settings);
  parts.judge.start?.();
}

/** Becomes the user of --user, who must be able to do the rest. Throws a `StartError`. */
export async function giveUpRoot(
  { runtime, logger }: Pick<SessionParts, "runtime" | "logger">,
  settings: Settings,
  account: Account,
): Promise<void> {
  const { becomeAccount, noteLostFiles } = await import("./run_as.ts");
  const { listen: { address, metrics }, log: { target } } = settings;
  const sockets = [address, metrics].flatMap((at) => at?.transport === "unix" ? at.path : []);
  await becomeAccount(runtime, account, sockets);
  const { directory } = settings.spool;
  const spool = await startSpoolDirectory(runtime.files, directory, { pid: runtime.pid, withContent: true });
  if (spool.isEverybodys) tell(logger, "openSpool", { directory });
  await checkQuarantine(runtime, settings);
  await noteLostFiles(runtime, logger, {
    read: filesOf(settings),
    log: target.kind === "file" ? target.path : undefined,
  });
}

// The pages of --metrics are loaded only if they are wanted.
async function startCounts(
  parts: SessionParts & Checks,
  address: Address,
  setup: Counts["setup"],
): Promise<{ readonly counts: Counts; readonly status: Pick<Listener, "close"> }> {
  const [{ Counts }, { startStatus }] = await Promise.all([import("./counts.ts"), import("./status.ts")]);
  const counts = new Counts(parts.logger, setup);
  return { counts, status: await startStatus(parts, address, counts) };
}

/** What to do if postprox cannot listen at `address`. */
export function listenHint(address: Address): (error: IoError) => string {
  return ({ kind }) => {
    if (address.transport === "unix") {
      return "give a path in a writable directory, and no other program may listen there";
    }
    const hint = kind === "denied" ? "a port above 1023, because only root may use lower ones" : "a free port";
    return `give an address of this host and ${hint}`;
  };
}

/** Removes what processes that were killed have left in the spool directory. */
export async function sweep(
  { runtime, logger }: Pick<SessionParts, "runtime" | "logger">,
  { spool }: Settings,
): Promise<void> {
  const { removed, failures } = await sweepSpoolDirectory(runtime, spool.directory);
  for (const why of failures) tell(logger, "notSwept", { why });
  for (const file of removed) tell(logger, "swept", { file });
}

export async function startPidFile(runtime: Runtime, path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const hint = () => "give a file in a directory that can be written, such as /run/postprox/postprox.pid";
  await orTempfail("--pid-file", writePidFile(runtime, path), hint);
}

export async function newListWatch({ runtime, logger, dns }: SessionParts & Checks): Promise<ListWatch | undefined> {
  if (!dns) return undefined;
  const { ListWatch } = await import("../dns/list_watch.ts");
  return new ListWatch({ clock: runtime.clock, resolver: runtime.resolver, logger }, dns);
}

export async function refuseOwnServer(
  { runtime, options: { downstream } }: {
    readonly runtime: Runtime;
    readonly options: Pick<SessionParts["options"], "downstream">;
  },
  address: Address,
): Promise<void> {
  if (!await isOwnServer(runtime, address, downstream)) return;
  const [at, server] = [formatAddress(address), formatAddress(downstream)];
  throw new UsageError(
    `option -l, --listen: postprox would be its own server, because ${server} leads to ${at}: give -l another address`,
  );
}

export function limitsOf({ listen: { maxClients, drainTimeout } }: Settings) {
  return { maxClients, drainTimeout };
}

/** The setup of this process, for the log. */
export function setupOf({ options }: Pick<SessionParts, "options">, settings: Settings, address: Address): Fields {
  const { command, helper, rules, filterRules, extchk, judging } = settings;
  return {
    version: VERSION,
    at: formatAddress(address),
    next_hop: formatAddress(options.downstream),
    user: settings.listen.user,
    metrics: settings.listen.metrics && formatAddress(settings.listen.metrics),
    dry_run: judging.dryRun ? "yes" : undefined,
    checks: askedChecks(settings).map(({ row }) => row.name).join(",") || "none",
    filter: command.command || "none",
    then: command.then.join("; ") || undefined,
    helper: helper.command || undefined,
    rules: rules.file ?? "none",
    filter_rules: filterRules.file,
    extchk: extchk.program,
  };
}

// postprox serves mail even if nobody reads this line.
export function sayReady({ stdio }: Runtime, address: Address): void {
  try {
    stdio.writeOut(`${READY} at ${formatAddress(address)}\n`);
  } catch {
    // For example, it is a pipe, and its reader has closed it.
  }
}

interface Reloading {
  /** The settings until now. */
  readonly settings: Settings;
  readonly reread: () => Promise<Reread>;
}

/** The parts that were read again: the settings, and the needs of sessions. */
export interface Reread extends Pick<SessionParts, "options"> {
  readonly settings: Settings;
  /** A mistake in them, with its file and line. */
  readonly placed: Call["placed"];
}

// If anything has a mistake now, all that was read before stays in force.
async function reload(
  parts: SessionParts & Checks,
  { settings: before, reread }: Reloading,
): Promise<(Remade & Checks & Reread & { readonly needsRestart: readonly string[] }) | StartError> {
  const { logger } = parts;
  let placed: Reread["placed"] | undefined;
  try {
    const made = await reread();
    const { settings, options } = made;
    placed = made.placed;
    const checks = await loadChecks(parts, settings);
    checks.judge.start?.();
    tell(logger, "reloaded", {});
    const needsRestart = restartOptions(before, settings);
    if (needsRestart.length > 0) tell(logger, "needsRestart", { options: needsRestart });
    await noteMissingFilter(parts, settings);
    const limits = limitsOf(settings);
    return { ...checks, options, placed, settings: inForce(before, settings), ...limits, needsRestart };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return placed?.(error) ?? error;
  }
}

// Without files nothing can have changed, and programs that stay go on.
function namesFiles(settings: Settings): boolean {
  return filesOf(settings).length > 0;
}

/** The files that a reload reads. */
function filesOf({ config, rules, filterRules, rspamd, urls }: Settings): string[] {
  const files = [config.file, rules.file, filterRules.file, rspamd.passwordFile, urls.allow];
  return files.filter((file) => file !== undefined);
}

/** What is in force when `now` was read again: what only a start reads stays as it was `before`. */
export function inForce(before: Settings, now: Settings): Settings {
  const { address, pidFile, socketMode, user, metrics } = before.listen;
  // Their number may change, but not whether there are any.
  const workers = before.listen.workers && (now.listen.workers ?? before.listen.workers);
  return { ...now, listen: { ...now.listen, address, pidFile, socketMode, user, metrics, workers }, log: before.log };
}

/** The options that have another value now, and that only a start reads. */
export function restartOptions(before: Settings, now: Settings): string[] {
  const rows = [
    [SETTINGS.listen.address, before.listen.address, now.listen.address],
    // Their number may change.
    [SETTINGS.listen.workers, before.listen.workers !== undefined, now.listen.workers !== undefined],
    [SETTINGS.listen.pidFile, before.listen.pidFile, now.listen.pidFile],
    [SETTINGS.listen.socketMode, before.listen.socketMode, now.listen.socketMode],
    [SETTINGS.listen.user, before.listen.user, now.listen.user],
    [SETTINGS.listen.metrics, before.listen.metrics, now.listen.metrics],
    [SETTINGS.log.target, before.log.target, now.log.target],
    [SETTINGS.log.format, before.log.format, now.log.format],
    [SETTINGS.log.verbosity, before.log.verbosity, now.log.verbosity],
  ] as const;
  return rows.flatMap(([row, one, other]) => JSON.stringify(one) === JSON.stringify(other) ? [] : `--${row.long}`);
}
