// Starts listen mode with workers: checks that all is right, makes the listening sockets, and keeps workers that accept on
// them (--workers).
//
// The supervisor itself never speaks with a client. It holds the sockets, so no connection is lost when a worker ends.

import { addWitness, tell } from "../log/events.ts";
import type { Fields, Logger } from "../log/logger.ts";
import { bindAll } from "../modes/bind.ts";
import type { InheritedSocket } from "../modes/inherited.ts";
import type { Notifier } from "../modes/notifier.ts";
import { isReachable } from "../modes/own_server.ts";
import { removePidFile } from "../modes/pid_file.ts";
import { BUG, ENDING, type ReloadOutcome } from "../modes/reload_words.ts";
import type { ReloadServer } from "../modes/reload_server.ts";
import type { Plan } from "../modes/generation.ts";
import { LAST_WORDS as WORKER_LAST_WORDS, Supervisor } from "../modes/supervisor.ts";
import { startWorker } from "../modes/worker_start.ts";
import { keepingFiles } from "../ports/kept_files.ts";
import type { Account, Address, Files, HeldSocket, Listener, Runtime } from "../ports/runtime.ts";
import { orTempfail, StartError, TempfailError } from "../ports/start_error.ts";
import { filterCount, loadChecks } from "../settings/load_checks.ts";
import type { Settings } from "../settings/settings.ts";
import {
  giveUpRoot,
  inForce,
  listenHint,
  newReloadServer,
  refuseOwnServer,
  type Reread,
  restartOptions,
  ROOT,
  sayReady,
  setupOf,
  startPidFile,
  sweep,
} from "./listen.ts";
import type { ServiceCounts, ServiceState } from "./shared_counts.ts";
import { noteMissingFilter } from "./missing_filter.ts";

// A filter without its worker has ended so long after -t. In milliseconds.
const FILTER_END = 5_000;

export interface Supervising {
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** The command line, which each worker gets. */
  readonly args: readonly string[];
  readonly address: Address;
  /** The socket at `address` that this process was started with. */
  readonly socket: InheritedSocket | undefined;
  /** The account that this process, and so each worker, becomes; absent if it stays what it is. */
  readonly account: Account | undefined;
  /** Reads the settings, from `files` if they name some. Throws a `StartError`. */
  readonly reread: (files: Files) => Promise<Reread>;
}

/** Runs until a signal says to stop. Returns the exit status. Throws a `StartError`. */
export async function supervise(parts: Supervising): Promise<number> {
  const { runtime, logger, args, address, socket: inherited, account } = parts;
  // After an upgrade, these words start the new program.
  const words = [...runtime.processes.selfWords(), ...args];
  let { plan, serving } = await read(parts);
  const setup = () => ({
    ...setupOf(serving, serving.settings, address),
    socket: inherited && "inherited",
    workers: plan.workers,
  });
  const { settings: started } = serving;
  const { pidFile } = started.listen;
  await refuseOwnServer({ runtime, ...serving }, address);
  let phase: ServiceState["phase"] = "starting";
  const shown = await startCounts(parts, serving.settings, () => ({ plan, setup: serving, phase }));
  const counts = shown?.counts;
  const notifier = counts && await newNotifier(parts, counts);
  const sockets = await makeSockets(parts, serving.settings.listen.socketMode).catch((error) => {
    shown?.status?.close();
    throw error;
  });
  const start = { ...runtime, words, sockets: sockets.map(({ descriptor }) => descriptor) };
  const supervisor = new Supervisor(
    {
      ...parts,
      clock: runtime.clock,
      log: started.log,
      counts: counts !== undefined,
      start: (events) => startWorker(start, events),
      onSnapshot: (worker, snapshot) => counts?.take(worker, snapshot),
      onEnd: (worker) => counts?.end(worker),
    },
    plan,
  );
  counts?.serves(supervisor);
  let isEnding = false;
  // One at a time, so that the last one counts.
  let reloaded: Promise<unknown> = Promise.resolve();
  const renew = async (): Promise<ReloadOutcome> => {
    if (isEnding) return ENDING;
    notifier?.reloading();
    const made = await renewed(parts, supervisor, serving.settings);
    if (isEnding) return ENDING;
    if (!(made instanceof StartError)) {
      plan = made.plan;
      serving = { ...made.serving, settings: inForce(serving.settings, made.serving.settings) };
    }
    // After a rotation, the new log file begins with this line.
    tell(logger, "listening", setup());
    if (made instanceof StartError) {
      // It comes last, because nobody may take the line before it for a success.
      for (const why of made.message.split("\n")) tell(logger, "notReloaded", { why });
      notifier?.ready();
      return { isDone: false, why: made.message };
    }
    tell(logger, "reloaded", {});
    const needsRestart = restartOptions(started, made.serving.settings);
    if (needsRestart.length > 0) tell(logger, "needsRestart", { options: needsRestart });
    await noteMissingFilter(parts, serving.settings);
    notifier?.ready();
    return { isDone: true, needsRestart };
  };
  // Never throws.
  const reload = (): Promise<ReloadOutcome> => {
    logger.reopen();
    supervisor.reopen();
    const outcome = reloaded.then(renew).catch((error) => {
      tell(logger, "bug", { error });
      return BUG;
    });
    reloaded = outcome;
    return outcome;
  };
  let reloadServer: ReloadServer | undefined;
  runtime.onBug((error) => tell(logger, "bug", { error }));
  runtime.signals.on("SIGHUP", () => void reload());
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    runtime.signals.on(signal, () => {
      const isDrain = !isEnding && signal !== "SIGQUIT";
      isEnding = true;
      phase = "ending";
      tell(logger, "shutdown", { signal, limit: (isDrain ? plan.drainTimeout : 0) + WORKER_LAST_WORDS });
      for (const socket of sockets) socket.close();
      if (isDrain) supervisor.drain();
      else supervisor.stop();
    });
  }
  runtime.signals.on("SIGXFSZ", () => {});
  try {
    // Only now is there a socket that a symbolic link may lead to.
    if (address.transport === "unix") await refuseOwnServer({ runtime, ...serving }, address);
    // Root may have to make it.
    await startPidFile(runtime, pidFile);
    reloadServer = await newReloadServer(parts);
    if (account) await giveUpRoot(parts, serving.settings, account);
    await sweep(parts, serving.settings);
    await noteMissingFilter(parts, serving.settings);
    // A worker that was killed leaves its files behind, and its filter, which still writes to them.
    const sweepLater = () => {
      const { settings } = serving;
      runtime.clock.after(settings.judging.timeout + FILTER_END, () => void sweep(parts, settings));
    };
    addWitness(logger, { workerReplaced: sweepLater });
    const why = await supervisor.renew(plan);
    if (why !== undefined) throw new TempfailError(`option --workers: a worker cannot start: ${why}: try again`);
    if (!isEnding) {
      phase = "serving";
      await begin(parts, setup());
      notifier?.ready();
      reloadServer?.serve(reload);
    }
    await supervisor.over;
    return 0;
  } finally {
    supervisor.stop();
    for (const socket of sockets) socket.close();
    await supervisor.over;
    shown?.status?.close();
    await reloadServer?.close();
    await notifier?.end();
    if (pidFile !== undefined) await removePidFile(runtime, pidFile);
  }
}

async function newNotifier(
  { runtime, logger }: Supervising,
  counts: ServiceCounts,
): Promise<Notifier | undefined> {
  if (!runtime.variable("NOTIFY_SOCKET")) return undefined;
  const [{ Notifier }, { formatStanding }] = await Promise.all([
    import("../modes/notifier.ts"),
    import("../modes/standing.ts"),
  ]);
  const status = () => {
    // The next status has the answer.
    void counts.snapshot();
    return formatStanding(counts.known());
  };
  const notifier = new Notifier(runtime, logger, status);
  addWitness(logger, { shutdown: ({ limit }) => notifier.stopping(limit) });
  return notifier;
}

// Nothing is counted and no page is served if nobody wants that.
async function startCounts(
  { runtime, logger }: Supervising,
  { listen: { metrics } }: Settings,
  state: () => ServiceState,
): Promise<{ readonly counts: ServiceCounts; readonly status: Pick<Listener, "close"> | undefined } | undefined> {
  if (!metrics && !runtime.variable("NOTIFY_SOCKET")) return undefined;
  const { ServiceCounts } = await import("./shared_counts.ts");
  const counts = new ServiceCounts(logger, state);
  if (!metrics) return { counts, status: undefined };
  const { startStatus } = await import("./status.ts");
  return { counts, status: await startStatus({ runtime, logger }, metrics, counts) };
}

async function begin(
  { runtime, logger, address }: Supervising,
  setup: Fields,
): Promise<void> {
  tell(logger, "listening", setup);
  if (await isReachable(runtime, address)) tell(logger, "reachable", { at: address });
  if (runtime.privileges.uid() === ROOT) tell(logger, "runsAsRoot", {});
  // If the log takes no lines, the start must fail visibly.
  await logger.flush();
  sayReady(runtime, address);
}

async function makeSockets(
  { runtime, logger, address, socket }: Supervising,
  mode: number | undefined,
): Promise<readonly HeldSocket[]> {
  if (socket) {
    return [await orTempfail("--workers", runtime.network.holdInherited(socket.descriptor), () => "try again")];
  }
  const made = bindAll(runtime, logger, { address, make: (at) => runtime.network.hold(at, mode) });
  return await orTempfail("-l, --listen", made, listenHint(address));
}

interface Read {
  readonly plan: Plan;
  readonly serving: Reread;
}

// Reads everything that a worker needs. Nothing is started.
async function read({ runtime, logger, reread }: Supervising): Promise<Read> {
  const { files, kept } = keepingFiles(runtime.files);
  const serving = await reread(files);
  const { settings, placed } = serving;
  await loadChecks({ runtime: { ...runtime, files }, logger, isTrial: true }, settings).catch((error) => {
    throw error instanceof StartError ? placed(error) : error;
  });
  const { workers, maxClients, drainTimeout } = settings.listen;
  const count = workers === "auto" ? navigator.hardwareConcurrency : workers ?? 1;
  return {
    plan: { workers: count, maxClients, maxFilters: filterCount(settings), drainTimeout, files: kept },
    serving,
  };
}

// If anything has a mistake now, or if no worker can start, the workers until now go on.
async function renewed(parts: Supervising, supervisor: Supervisor, before: Settings): Promise<Read | StartError> {
  try {
    const made = await read(parts);
    // Without --workers, only a restart can end the supervisor.
    const workers = made.serving.settings.listen.workers ?? before.listen.workers;
    const plan = workers === undefined || workers === "auto" ? made.plan : { ...made.plan, workers };
    const why = await supervisor.renew(plan);
    return why === undefined ? { ...made, plan } : new TempfailError(`new workers cannot start: ${why}`);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return error;
  }
}
