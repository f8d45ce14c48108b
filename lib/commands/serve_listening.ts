// Listen mode: it goes into the background, or it is one process, a supervisor with workers, or one of these workers.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { type LogTarget, openLogger, SYSLOG } from "../log/sinks.ts";
import type { InheritedSocket } from "../modes/inherited.ts";
import type { Account, Address, FileFacts, Files, Runtime } from "../ports/runtime.ts";
import { orTempfail, StartError } from "../ports/start_error.ts";
import { loadChecks } from "../settings/load_checks.ts";
import type { Settings } from "../settings/settings.ts";
import { startSpoolDirectory } from "../spool/directory.ts";
import { Marks } from "../spool/mark.ts";
import type { Call } from "./command.ts";
import { accountToBecome, openLogFor } from "./run_as.ts";
import { type Serving, servingOf } from "./serving.ts";

interface Listening extends Serving {
  readonly address: Address;
  /** The socket at `address` that this process was started with. */
  readonly socket: InheritedSocket | undefined;
}

/** Serves mail at `address`. Returns the exit status. Throws a `StartError`. */
export async function serveListening(
  call: Call,
  { settings: given, options, address, socket }: Listening,
): Promise<number> {
  const { runtime, args, reread, worker } = call;
  const settings = worker ? { ...given, log: worker.log } : given;
  const { foreground, user, workers } = settings.listen;
  const orAll = <Made>(making: Promise<Made>) =>
    making.catch(async (error) => {
      throw await (await import("./check_config.ts")).withOthers(call, error, socket?.address);
    });
  // A worker's supervisor has done that.
  const account = worker ? undefined : await orAll(accountToBecome(runtime, user));
  // Root can use every directory. So that user looks at it, as soon as this process is that user.
  const spool = account ? undefined : await orAll(startSpool(runtime, settings));
  if (!foreground && !worker) {
    const { backgroundMode } = await import("../modes/background.ts");
    const behind = backgroundMode(runtime, args, settings.log.target.kind === "stderr");
    return await orTempfail("-l, --listen", behind, () => "try again, or give --foreground");
  }
  const logger = await openLog(runtime, settings, account);
  if (spool?.isEverybodys && !worker) tell(logger, "openSpool", settings.spool);
  const rereadServing = async (files?: Files) => {
    const { placed, ...words } = await reread(files);
    try {
      const serving = await servingOf(runtime, words, socket?.address);
      // Root can use every directory.
      const isUser = !account || runtime.privileges.uid() === account.uid;
      if (isUser) await startSpool(runtime, serving.settings);
      return { ...serving, placed };
    } catch (error) {
      const { withOthers } = await import("./check_config.ts");
      const given = { ...words, runtime: { ...runtime, files: files ?? runtime.files }, isReload: true };
      const all = await withOthers(given, error, socket?.address);
      throw all instanceof StartError ? placed(all) : all;
    }
  };
  if (workers !== undefined && !worker) {
    const { supervise } = await import("./supervise.ts");
    const supervising = supervise({ runtime, logger, args, address, socket, account, reread: rereadServing });
    return await supervising.finally(() => logger.flush());
  }
  const checks = await loadChecks({ runtime, logger, filterTurns: worker?.turns }, settings);
  const parts = { runtime, logger, marks: new Marks(runtime), ...checks, options };
  try {
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
}

// A full disk prevents the start, so that a service manager tries again.
async function startSpool({ files, pid }: Runtime, { spool }: Settings): Promise<FileFacts> {
  return await startSpoolDirectory(files, spool.directory, { pid, withContent: true });
}

async function openLog(
  runtime: Runtime,
  { log: { target, format, verbosity } }: Settings,
  account: Account | undefined,
): Promise<Logger> {
  const others: LogTarget[] = target.kind === "file" ? [SYSLOG] : [];
  if (target.kind !== "stderr") others.push({ kind: "stderr" });
  const open = () => openLogger(runtime, target, { verbosity, format, others });
  const opening = account && target.kind === "file" ? openLogFor(runtime, target.path, { account, open }) : open();
  return await orTempfail("--log", opening, () => "give a file that can be written");
}
