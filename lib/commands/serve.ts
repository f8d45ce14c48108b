// The command that serves mail: in spawn mode to the one client at standard input, or in listen mode.
//
// In spawn mode each message has a process of its own. So the code of the other modes is loaded only if it is wanted.

import { tell } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { type LogTarget, openLogger, SYSLOG } from "../log/sinks.ts";
import type { InheritedSocket } from "../modes/inherited.ts";
import { spawnMode } from "../modes/spawn.ts";
import type { Runtime } from "../ports/runtime.ts";
import { orTempfail, UsageError } from "../ports/start_error.ts";
import { loadChecks } from "../settings/load_checks.ts";
import type { Settings } from "../settings/settings.ts";
import { startSpoolDirectory } from "../spool/directory.ts";
import { Marks } from "../spool/mark.ts";
import type { Call, Command } from "./command.ts";
import { servingOf } from "./serving.ts";

export const serve: Command = async (call) => {
  const { runtime } = call;
  const socket = await inheritedSocket(call);
  const { settings, options } = await servingOf(runtime, call, socket?.address).catch(async (error) => {
    throw await (await import("./check_config.ts")).withOthers(call, error, socket?.address);
  });
  if (settings.listen.address) {
    const { serveListening } = await import("./serve_listening.ts");
    return await serveListening(call, { settings, options, address: settings.listen.address, socket });
  }
  const { files, pid } = runtime;
  // A client waits already. A session helps it more than an end here: a message without room gets a 452.
  const spool = await startSpoolDirectory(files, settings.spool.directory, { pid, withContent: false });
  const logger = await openLog(runtime, settings);
  if (spool.isEverybodys) tell(logger, "openSpool", settings.spool);
  const checks = await loadChecks({ runtime, logger }, settings);
  try {
    return await spawnMode({ runtime, logger, marks: new Marks(runtime), ...checks, options });
  } finally {
    await checks.judge.retire?.();
    await logger.flush();
  }
};

// The service manager says for which process the socket is meant. A worker needs it only if nothing else says that this is
// listen mode.
async function inheritedSocket({ runtime, line, worker }: Call): Promise<InheritedSocket | undefined> {
  const isWanted = worker
    ? line.settings.listen.address === undefined
    : runtime.variable("LISTEN_PID") === String(runtime.pid);
  if (!isWanted) return undefined;
  return await (await import("../modes/inherited.ts")).inheritSocket(runtime, worker?.sockets);
}

async function openLog(runtime: Runtime, { log: { target, format, verbosity } }: Settings): Promise<Logger> {
  if (target.kind === "stderr" && runtime.stdio.isSpawned() && runtime.stdio.isErrInput()) {
    throw new UsageError("option --log: standard error is the client here: give syslog or the path of a file");
  }
  const others: LogTarget[] = target.kind === "file" ? [SYSLOG] : [];
  const opening = openLogger(runtime, target, { verbosity, format, others });
  return await orTempfail("--log", opening, () => "give a file that can be written");
}
