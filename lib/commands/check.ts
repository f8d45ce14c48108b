// The command `check`: the content checks look at messages from disk. Nothing is delivered or kept.
//
// Operands are files, mbox files, directories, and `-` for standard input. The log lines of the checks go to standard
// error, unless --log names another place. The status is 0 if all messages were accepted, and 1 if one was refused. It
// is 2 if a check could not decide about one, or if one could not be read.

import type { Judge } from "../checks/check.ts";
import type { Logger } from "../log/logger.ts";
import { openLogger } from "../log/sinks.ts";
import { tell } from "../log/events.ts";
import type { Mail } from "../mail/message.ts";
import { IoError } from "../ports/io_error.ts";
import type { Conn, Runtime } from "../ports/runtime.ts";
import { orTempfail, UsageError } from "../ports/start_error.ts";
import { loadChecks } from "../settings/load_checks.ts";
import type { CheckSettings } from "../settings/command_options.ts";
import type { Settings } from "../settings/settings.ts";
import { startSpoolDirectory } from "../spool/directory.ts";
import { Marks } from "../spool/mark.ts";
import { judgeAll } from "./check/judged.ts";
import { findSources, type MailSource, type NoSource } from "./check/mail_source.ts";
import { Progress } from "./check/progress.ts";
import { formatChecked, jsonOf, statusOf, Totals } from "./check/report.ts";
import type { Command } from "./command.ts";
import { Report } from "./output/report.ts";

export const check: Command = async ({ runtime, line: { settings, operands, given } }) => {
  if (operands.length === 0) {
    throw new UsageError("check: no message is named: give FILE, a directory, or - for standard input");
  }
  await startSpoolDirectory(runtime.files, settings.spool.directory, { pid: runtime.pid, withContent: true });
  const logger = await openLog(runtime, settings, given.some(({ row }) => row.long === "log"));
  const { judge } = await loadChecks({ runtime, logger, isTrial: true }, settings);
  try {
    judge.start?.();
    const conn = runtime.stdio.conn();
    const checking = new Checking(runtime, { judge, logger, settings: settings as CheckSettings, conn });
    return await checking.run(await findSources({ files: runtime.files, input: conn }, operands));
  } finally {
    await judge.retire?.();
    await logger.flush();
  }
};

async function openLog(
  runtime: Runtime,
  { log: { target, format, verbosity } }: Settings,
  isNamed: boolean,
): Promise<Logger> {
  const logger = openLogger(runtime, isNamed ? target : { kind: "stderr" }, { verbosity, format, others: [] });
  return await orTempfail("--log", logger, () => "give a file that can be written");
}

interface CheckingParts {
  readonly judge: Judge;
  readonly logger: Logger;
  readonly settings: CheckSettings;
  /** Standard input and output. */
  readonly conn: Conn;
}

class Checking {
  readonly #runtime: Runtime;
  readonly #parts: CheckingParts;
  readonly #report: Report;
  readonly #totals = new Totals();
  readonly #stop = new AbortController();
  readonly #marks: Marks;
  #status = 0;

  constructor(runtime: Runtime, parts: CheckingParts) {
    this.#runtime = runtime;
    this.#marks = new Marks(runtime);
    this.#parts = parts;
    this.#report = new Report(runtime.stdio, parts.conn, parts.settings.output.json);
    for (const signal of ["SIGINT", "SIGTERM"] as const) runtime.signals.on(signal, () => this.#stop.abort());
  }

  /** The exit status. */
  async run(sources: readonly (MailSource | NoSource)[]): Promise<number> {
    const sizes = sources.map((source) => "chunks" in source ? source.size : 0);
    const all = sizes.every((size) => size !== undefined) ? sizes.reduce((sum, size) => sum + size, 0) : 0;
    const progress = new Progress(this.#report, all);
    for (const source of sources) {
      if (this.#stop.signal.aborted || this.#report.isGone) break;
      if ("chunks" in source) await this.#check(source, progress);
      else this.#cannotRead(source);
    }
    await progress.clear();
    if (!this.#report.isJson && this.#totals.messages > 1) {
      for (const line of this.#totals.format()) await this.#report.result(line, {});
    }
    if (this.#stop.signal.aborted) this.#report.note("check was stopped before its end");
    return this.#stop.signal.aborted ? 2 : this.#status;
  }

  async #check(source: MailSource, progress: Progress): Promise<void> {
    const { files, clock, pid, turn } = this.#runtime;
    const { judge, settings, logger } = this.#parts;
    const notice = (text: string) => tell(logger, "notice", { text });
    const parts = { judge, files, marks: this.#marks, clock, pid, turn, stop: this.#stop.signal, notice };
    const options = {
      spoolDirectory: settings.spool.directory,
      messageTimeout: settings.session.messageTimeout,
      mail: mailOf(settings),
    };
    const before = this.#totals.messages;
    const reading = { chunks: source.chunks(), onRead: (count: number) => progress.read(count) };
    try {
      for await (const { number, size, judgement } of judgeAll(parts, options, reading)) {
        if (this.#stop.signal.aborted) return;
        const name = number === undefined ? source.name : `${source.name}:${number}`;
        this.#totals.add(judgement);
        this.#status = Math.max(this.#status, statusOf(judgement));
        await progress.clear();
        await this.#report.result(formatChecked({ name, size, judgement }), jsonOf({ name, size, judgement }));
        if (this.#report.isGone) return;
        await progress.show(this.#totals.messages);
      }
      if (this.#totals.messages === before && !this.#stop.signal.aborted) {
        await progress.clear();
        this.#report.note(`${source.name} has no message`);
      }
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.#cannotRead({ name: source.name, why: error.message });
    }
  }

  #cannotRead({ name, why }: NoSource): void {
    this.#status = 2;
    this.#report.problem(`${name} cannot be checked: ${why}`);
  }
}

function mailOf({ envelope: { sender, recipients, client, helo } }: CheckSettings): Mail {
  const facts = { ...client === undefined ? {} : { address: client }, ...helo === undefined ? {} : { helo } };
  return {
    id: "check",
    envelope: Object.freeze({ sender: sender === "<>" ? "" : sender, recipients: Object.freeze([...recipients]) }),
    client: { facts, address: client },
  };
}
