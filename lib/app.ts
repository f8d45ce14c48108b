// The program: it finds the command that the command line asks for, and runs it.
//
// `run` returns the exit status of the command, or of the `StartError` that prevents it. The error goes to standard
// error, in a line for each mistake. Under spawn(8) standard error is the client's socket. Then the client gets 421
// instead, and the log gets the lines.

import type { Call } from "./commands/command.ts";
import { allOptions, ownSettings, readWords, SERVE, withConfig } from "./commands/commands.ts";
import { tell } from "./log/events.ts";
import type { Logger } from "./log/logger.ts";
import { journalPrefix, openLogger, SYSLOG } from "./log/sinks.ts";
import { IoError } from "./ports/io_error.ts";
import type { WorkerSide } from "./modes/worker.ts";
import type { Runtime } from "./ports/runtime.ts";
import { StartError, UsageError } from "./ports/start_error.ts";
import { OWN_REPLIES } from "./session/own_replies.ts";
import type { Settings } from "./settings/settings.ts";
import { textOf } from "./text/octets.ts";

const EX_SOFTWARE = 70;

/** Runs postprox with `args`. Returns its exit status. */
export async function run(runtime: Runtime, args: readonly string[]): Promise<number> {
  const sockets = runtime.workerSockets;
  if (!sockets) return await runCommand(runtime, args);
  const { beWorker } = await import("./modes/worker.ts");
  const { runtime: ofWorker, worker } = await beWorker(runtime, sockets);
  const status = await runCommand(ofWorker, args, worker);
  await worker.flush();
  return status;
}

async function runCommand(runtime: Runtime, args: readonly string[], worker?: WorkerSide): Promise<number> {
  let log: LogSettings | undefined;
  let placed: Call["placed"] | undefined;
  try {
    const words = readWords(args, { own: await ownSettings(args) });
    // If the file of --config has mistakes, this log hears of them.
    log = words.line.settings.log;
    const read = await withConfig(runtime.files, args, words);
    const { command, line, nextHop } = read;
    placed = read.placed;
    log = line.settings.log;
    if (line.wrong) throw line.wrong;
    if (command !== SERVE && runtime.stdio.isSpawned()) {
      const name = command.word ?? `--${command.option?.long}`;
      throw new UsageError(`${name} cannot be used when standard output is a mail client: give HOST:PORT`);
    }
    const execute = await command.load();
    return await execute({
      runtime,
      args,
      line,
      nextHop,
      placed,
      reread: (files = runtime.files) => withConfig(files, args, words),
      worker,
      options: allOptions,
    });
  } catch (error) {
    if (error instanceof StartError) return await complain(runtime, placed?.(error) ?? error, log);
    return await failOnBug(runtime, error, log);
  }
}

type LogSettings = Omit<Settings["log"], "verbosity">;

async function complain(runtime: Runtime, error: StartError, log: LogSettings | undefined): Promise<number> {
  const { message, status } = error;
  const lines = message.split("\n");
  if (!runtime.stdio.isSpawned()) {
    for (const line of lines) writeErr(runtime, line);
    return status;
  }
  const logger = await openUsageLog(runtime, log);
  for (const line of lines) {
    if (error instanceof UsageError) tell(logger, "usage", { text: line });
    else tell(logger, "cannotStart", { why: line });
  }
  runtime.stdio.writeOut(textOf(OWN_REPLIES.misconfigured.bytes));
  await logger.flush();
  return status;
}

function writeErr({ stdio }: Runtime, text: string): void {
  stdio.writeErr(`${journalPrefix("error", stdio.isErrJournal())}postprox: ${text}\n`);
}

// Handles an error that no code expected, before or outside a session. The client hears little, the log gets
// everything.
async function failOnBug(runtime: Runtime, error: unknown, log: LogSettings | undefined): Promise<number> {
  const logger = await openUsageLog(runtime, log && { ...log, target: SYSLOG });
  tell(logger, "bug", { error });
  if (runtime.stdio.isSpawned()) runtime.stdio.writeOut(textOf(OWN_REPLIES.bug.bytes));
  else writeErr(runtime, "internal error: see the mail log");
  await logger.flush();
  return EX_SOFTWARE;
}

// It never uses standard error, which may be the client. If the wanted file cannot be opened, it uses syslog.
async function openUsageLog(
  runtime: Runtime,
  { target, format }: LogSettings = { target: SYSLOG, format: "plain" },
): Promise<Logger> {
  const options = { verbosity: 0, format };
  try {
    if (target.kind === "file") return await openLogger(runtime, target, { ...options, others: [SYSLOG] });
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
  return openLogger(runtime, target.kind === "syslog" ? target : SYSLOG, { ...options, others: [] });
}
