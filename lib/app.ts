// Where the parts meet: the command line is read, the log opened, the checks made, and a mode runs.
//
// `run` gives the exit status: that of the mode, 0 for --help and its like, that of the `StartError` where the program
// cannot start. What is wrong goes to standard error in one line; where that is the client's socket, as under spawn(8), it
// must not, and so the client hears 421 and the log gets the line. Spawn mode is a process for each message: the other
// modes are loaded when they are wanted.

import { type Checks, checksOf } from "./app_checks.ts";
import { logBug, logCannotStart, logUsage } from "./log/events.ts";
import type { Logger } from "./log/logger.ts";
import { journalPrefix, type LogTarget, openLogger } from "./log/sinks.ts";
import { spawnMode } from "./modes/spawn.ts";
import { type Options, orTempfail, StartError, SYSLOG_SOCKET, UsageError } from "./options/options.ts";
import { parseCommandLine } from "./options/parse.ts";
import { IoError } from "./ports/io_error.ts";
import type { Runtime } from "./ports/runtime.ts";
import { OWN_REPLIES } from "./session/own_replies.ts";
import type { SessionParts } from "./session/session.ts";
import { textOf } from "./text/octets.ts";
import { checkSpoolDirectory } from "./spool/directory.ts";

const EX_SOFTWARE = 70;

const SYSLOG: LogTarget = { kind: "syslog", path: SYSLOG_SOCKET };

/** Runs postprox with `args`; the result is its exit status. */
export async function run(runtime: Runtime, args: readonly string[]): Promise<number> {
  try {
    const parsed = parseCommandLine(args);
    if (parsed.kind === "run") return await start(runtime, parsed.options, args);
    if (runtime.stdio.isSpawned()) {
      throw new UsageError(`--${parsed.kind} has no use where standard output is a mail client: give HOST:PORT`);
    }
    const { informationText } = await import("./commands/information.ts");
    runtime.stdio.writeOut(await informationText(runtime, parsed));
    return 0;
  } catch (error) {
    if (error instanceof StartError) return await complain(runtime, error);
    return await failOnBug(runtime, error);
  }
}

async function start(runtime: Runtime, options: Options, args: readonly string[]): Promise<number> {
  try {
    return await startMode(runtime, options, args);
  } catch (error) {
    if (error instanceof StartError) error.log = options.log;
    throw error;
  }
}

async function startMode(runtime: Runtime, options: Options, args: readonly string[]): Promise<number> {
  if (options.listen && runtime.stdio.isSpawned() && runtime.stdio.isErrInput()) {
    throw new UsageError("option -l, --listen: standard input is a mail client, as under spawn(8): leave -l out there");
  }
  await checkTempdir(runtime, options);
  if (options.listen && !options.foreground) {
    const { backgroundMode } = await import("./modes/background.ts");
    const behind = backgroundMode(runtime, args, options.log.kind === "stderr");
    return await orTempfail("-l, --listen", behind, () => "try again, or give --foreground");
  }
  const logger = await openLog(runtime, options);
  const parts = await sessionParts(runtime, logger, options);
  try {
    if (!options.listen) return await spawnMode(parts);
    const { startListening } = await import("./app_listen.ts");
    return await startListening(parts, options, options.listen);
  } finally {
    await logger.flush();
  }
}

async function sessionParts(runtime: Runtime, logger: Logger, options: Options): Promise<SessionParts & Checks> {
  return {
    runtime,
    logger,
    ...await checksOf({ runtime, logger }, options),
    options: { ...options, spoolDirectory: options.tempdir, rejectUnsure: options.reject },
  };
}

// A full disk keeps listen mode from its start, so that a service manager tries again. In spawn mode there is a client
// already, whose session is of more use: a message that finds no room is answered with 452.
async function checkTempdir({ files, pid }: Runtime, { tempdir, listen }: Options): Promise<void> {
  const check = checkSpoolDirectory(files, tempdir, { pid, withContent: listen !== undefined });
  await orTempfail("-d, --tempdir", check, () => "give a directory that can be written");
}

async function openLog(runtime: Runtime, options: Options): Promise<Logger> {
  const spawned = options.listen === undefined;
  if (options.log.kind === "stderr" && spawned && runtime.stdio.isSpawned() && runtime.stdio.isErrInput()) {
    throw new UsageError("option --log: standard error is the client here: give syslog or the path of a file");
  }
  const others: LogTarget[] = options.log.kind === "file" ? [SYSLOG] : [];
  if (!spawned && options.log.kind !== "stderr") others.push({ kind: "stderr" });
  const logger = openLogger(runtime, options.log, { verbosity: options.verbosity, others });
  return await orTempfail("--log", logger, () => "give a file that can be written");
}

async function complain(runtime: Runtime, error: StartError): Promise<number> {
  const { message, log, status } = error;
  if (!runtime.stdio.isSpawned()) {
    writeErr(runtime, message);
    return status;
  }
  const logger = await openUsageLog(runtime, log);
  if (error instanceof UsageError) logUsage(logger, message);
  else logCannotStart(logger, message);
  runtime.stdio.writeOut(textOf(OWN_REPLIES.misconfigured.bytes));
  await logger.flush();
  return status;
}

function writeErr({ stdio }: Runtime, text: string): void {
  stdio.writeErr(`${journalPrefix("error", stdio.isErrJournal())}postprox: ${text}\n`);
}

// An error that no code foresaw, before or outside of a session: little for a client, all for the log.
async function failOnBug(runtime: Runtime, error: unknown): Promise<number> {
  const logger = await openUsageLog(runtime, undefined);
  logBug(logger, error);
  if (runtime.stdio.isSpawned()) runtime.stdio.writeOut(textOf(OWN_REPLIES.bug.bytes));
  else writeErr(runtime, "internal error: see the mail log");
  await logger.flush();
  return EX_SOFTWARE;
}

// Never standard error, which is the client; and syslog when the file that is wanted cannot be had.
async function openUsageLog(runtime: Runtime, wanted: LogTarget | undefined): Promise<Logger> {
  try {
    if (wanted?.kind === "file") return await openLogger(runtime, wanted, { verbosity: 0, others: [SYSLOG] });
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
  return openLogger(runtime, wanted?.kind === "syslog" ? wanted : SYSLOG, { verbosity: 0, others: [] });
}
