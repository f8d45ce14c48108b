// The command --check-config: whether postprox would start with these options, and with the files that they name.
//
// The status is 0 if all is right, and that of the `StartError` otherwise. A filter that is missing does not prevent the
// start, so the status stays 0, but standard error says it. Nothing is started, and nothing listens.

import { orTempfail } from "../ports/start_error.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Settings } from "../settings/settings.ts";
import { tell } from "../log/events.ts";
import { openLogger } from "../log/sinks.ts";
import type { Command } from "./command.ts";
import { loadChecks } from "../settings/load_checks.ts";
import { checkQuarantine } from "../settings/load_judge.ts";
import { startSpoolDirectory } from "../spool/directory.ts";
import { noteMissingFilter } from "./missing_filter.ts";
import { checkServing, parseOperands } from "./serving.ts";

export const checkConfig: Command = async ({ runtime, line, nextHop }) => {
  const { settings, operands } = line;
  const downstream = parseOperands(operands, nextHop);
  await checkServing(runtime, line, downstream);
  const { user } = settings.listen;
  const account = user === undefined ? undefined : await (await import("./run_as.ts")).accountToBecome(runtime, user);
  await checkLogDirectory(runtime, settings);
  const logger = await openLogger(runtime, { kind: "stderr" }, {
    verbosity: 0,
    format: settings.log.format,
    others: [],
  });
  await loadChecks({ runtime, logger, isTrial: true }, settings);
  // What comes now must work for that user, and not only for root.
  if (account) await (await import("./run_as.ts")).becomeAccount(runtime, account);
  const spool = await startSpoolDirectory(runtime.files, settings.spool.directory, {
    pid: runtime.pid,
    withContent: settings.listen.address !== undefined,
  });
  if (spool.isEverybodys) tell(logger, "openSpool", settings.spool);
  if (account) await checkQuarantine(runtime, settings);
  await noteMissingFilter({ runtime, logger }, settings);
  await logger.flush();
  runtime.stdio.writeOut("postprox: the configuration is right\n");
  return 0;
};

// The log file itself stays closed. If root opened it here, it would belong to root, and the service could not write to it.
async function checkLogDirectory({ files }: Runtime, { log: { target } }: Settings): Promise<void> {
  if (target.kind !== "file") return;
  const directory = target.path.replace(/[^/]*$/, "") || ".";
  await orTempfail("--log", files.stat(directory), () => "give a file in a directory that exists");
}
