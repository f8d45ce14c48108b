// The command --check-config: whether postprox would start with these options, and with the files that they name.
//
// The status is 0 if all is right, and that of the `StartError` otherwise. A filter that is missing does not prevent the
// start, so the status stays 0, but standard error says it. Nothing is started, and nothing listens.

import { Mistakes, orTempfail, StartError } from "../ports/start_error.ts";
import type { Address, Runtime } from "../ports/runtime.ts";
import type { Settings } from "../settings/settings.ts";
import { tell } from "../log/events.ts";
import { openLogger } from "../log/sinks.ts";
import type { Logger } from "../log/logger.ts";
import type { Call, Command } from "./command.ts";
import { loadChecks } from "../settings/load_checks.ts";
import { checkQuarantine } from "../settings/load_judge.ts";
import { startSpoolDirectory } from "../spool/directory.ts";
import { noteMissingFilter } from "./missing_filter.ts";
import { checkServing, usingSocket } from "./serving.ts";

export const checkConfig: Command = async ({ runtime, line, nextHop }) => {
  const logger = await openErrLog(runtime, line.settings);
  const mistakes = new Mistakes();
  await findMistakes({ runtime, logger }, { line, nextHop, isReload: false }, mistakes);
  await logger.flush();
  mistakes.throwAll();
  runtime.stdio.writeOut("postprox: the configuration is right\n");
  return 0;
};

/**
 * The error of a start or a reload that has failed, together with all other mistakes. A socket at the address `inherited` is
 * used in place of -l. A worker's supervisor has told all of them, and any other error stays what it is.
 */
export async function withOthers(
  { runtime, line, nextHop, worker, isReload = false }:
    & Pick<Call, "runtime" | "line" | "nextHop" | "worker">
    & { readonly isReload?: boolean },
  error: unknown,
  inherited: Address | undefined,
): Promise<unknown> {
  if (worker || !(error instanceof StartError)) return error;
  const mistakes = new Mistakes();
  const words = { line: usingSocket(line, inherited), nextHop, isReload };
  await findMistakes({ runtime, logger: SILENT }, words, mistakes);
  const all = mistakes.all();
  // The names of files that a trial makes differ, so only the option counts.
  const missed = linesOf(error).filter((line) => !linesOf(all).some((other) => optionOf(other) === optionOf(line)));
  if (missed.length > 0) mistakes.add(error);
  return mistakes.all() ?? error;
}

function linesOf(error: StartError | undefined): string[] {
  return error ? error.message.split("\n") : [];
}

function optionOf(line: string): string {
  return /^option (?:-[A-Za-z], )?--[a-z-]+/.exec(line)?.[0] ?? line;
}

const SILENT: Logger = { verbosity: 0, write: () => {}, reopen: () => {}, flush: async () => {} };

interface Parts {
  readonly runtime: Runtime;
  readonly logger: Logger;
}

async function findMistakes(
  { runtime, logger }: Parts,
  { line, nextHop, isReload }: Pick<Call, "line" | "nextHop"> & { readonly isReload: boolean },
  mistakes: Mistakes,
): Promise<void> {
  const { settings } = line;
  const downstream = await mistakes.of(() => checkServing(runtime, line, nextHop));
  const { listen: { user, address } } = settings;
  if (downstream && address) {
    const { refuseOwnServer } = await import("./listen.ts");
    await mistakes.of(() => refuseOwnServer({ runtime, options: { downstream } }, address));
  }
  // Without -l it makes no sense at all. Only a start reads it.
  const account = user === undefined || !address || isReload
    ? undefined
    : await mistakes.of(async () => (await import("./run_as.ts")).accountToBecome(runtime, user));
  await mistakes.of(() => checkLogDirectory(runtime, settings));
  await mistakes.of(() => loadChecks({ runtime, logger, isTrial: true }, settings));
  // The rest must work for that user, and not only for root.
  if (account) await mistakes.of(async () => (await import("./run_as.ts")).becomeAccount(runtime, account));
  const spool = await mistakes.of(() =>
    startSpoolDirectory(runtime.files, settings.spool.directory, {
      pid: runtime.pid,
      withContent: address !== undefined,
    })
  );
  if (spool?.isEverybodys) tell(logger, "openSpool", settings.spool);
  if (account) await mistakes.of(() => checkQuarantine(runtime, settings));
  await noteMissingFilter({ runtime, logger }, settings);
}

function openErrLog(runtime: Runtime, { log: { format } }: Settings): Promise<Logger> {
  return openLogger(runtime, { kind: "stderr" }, { verbosity: 0, format, others: [] });
}

// The log file itself stays closed. If root opened it here, it would belong to root, and the service could not write to it.
async function checkLogDirectory({ files }: Runtime, { log: { target } }: Settings): Promise<void> {
  if (target.kind !== "file") return;
  const directory = target.path.replace(/[^/]*$/, "") || ".";
  await orTempfail("--log", files.stat(directory), () => "give a file in a directory that exists");
}
