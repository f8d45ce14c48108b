// The command `reload`: the service reads its settings, rules and lists again, as at SIGHUP, and this waits for the outcome.
//
// It talks with the service over the socket in the directory of RUNTIME_DIRECTORY (modes/reload_words.ts). The status is 0
// when the new settings hold: with --workers, when the new workers accept connections. It is 1 if nothing has changed, or if
// that is not known, and standard error has the reasons, each on a line of its own. It is 64 for wrong use.

import { journalPrefix } from "../log/sinks.ts";
import type { Level } from "../log/logger.ts";
import {
  ANSWER_LIMIT,
  formatQuestion,
  type OtherProcess,
  parseAnswer,
  readLine,
  type ReloadOutcome,
  reloadSocket,
  runtimeDirectory,
} from "../modes/reload_words.ts";
import { IoError } from "../ports/io_error.ts";
import type { Conn, Runtime } from "../ports/runtime.ts";
import { UsageError } from "../ports/start_error.ts";
import { bytesOf } from "../text/octets.ts";
import { escapeText, quote } from "../text/quoting.ts";
import type { Command } from "./command.ts";
import { RUNTIME_DIRECTORY } from "./postfix_config/systemd_unit.ts";

// New workers have 60 s to start. systemd waits 90 s for a reload, so it gets our reason first. In milliseconds.
const LIMIT = 80_000;

export const reload: Command = async ({ runtime, line: { operands, given } }) => {
  const [first] = given;
  if (first) throw new UsageError(`reload: --${first.row.long} means nothing here: the service has its own options`);
  const pid = parsePid(operands);
  const directory = runtimeDirectory(runtime.variable) ?? RUNTIME_DIRECTORY;
  const answer = await ask(runtime, directory, pid);
  const fail = (...reasons: readonly string[]) => {
    for (const reason of reasons) say(runtime, "error", reason);
    return 1;
  };
  if ("notKnown" in answer) return fail(answer.notKnown);
  if ("pid" in answer) {
    return fail(`not reloaded: process ${answer.pid} answers at ${reloadSocket(directory)}, and not process ${pid}`);
  }
  if (!answer.isDone) return fail(...answer.why.split("\n").map((why) => `not reloaded: ${why}`));
  runtime.stdio.writeOut("postprox: the service has read its settings again, and they hold\n");
  if (answer.needsRestart.length > 0) {
    say(runtime, "warning", `a restart is needed for options that have changed: ${answer.needsRestart.join(" ")}`);
  }
  return 0;
};

/** Nobody knows whether the service has reloaded. */
interface NotKnown {
  readonly notKnown: string;
}

const ENDED: NotKnown = { notKnown: "the service ended before it answered" };

function parsePid([text, second]: readonly string[]): number | undefined {
  if (second !== undefined) throw new UsageError(`reload: one process is enough, ${quote(second)} is a second one`);
  if (text === undefined || /^[1-9][0-9]{0,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new UsageError(`reload: ${quote(text)} is no process id: give the id of the service, or none`);
}

async function ask(
  { network, clock }: Pick<Runtime, "network" | "clock">,
  directory: string,
  pid: number | undefined,
): Promise<ReloadOutcome | OtherProcess | NotKnown> {
  const path = reloadSocket(directory);
  let conn: Conn;
  try {
    conn = await network.connect({ transport: "unix", path }, LIMIT);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    // The connection waited in the queue of a service that ended.
    if (error.kind === "reset") return ENDED;
    return { isDone: false, why: `${error.message}: ${hintFor(error, directory)}` };
  }
  let isLate = false;
  const cancel = clock.after(LIMIT, () => {
    isLate = true;
    conn.close();
  });
  try {
    await conn.write(bytesOf(formatQuestion(pid)));
    const line = await readLine(conn, ANSWER_LIMIT);
    if (line !== undefined) {
      return parseAnswer(line) ?? { notKnown: "the answer of the service is not understood: see its log" };
    }
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  } finally {
    cancel();
    conn.close();
  }
  if (isLate) return { notKnown: `no answer within ${LIMIT / 1000} s: the log of the service says what becomes of it` };
  return ENDED;
}

function hintFor({ kind }: IoError, directory: string): string {
  switch (kind) {
    case "missing":
      return `is the service running, with RUNTIME_DIRECTORY=${directory}?`;
    case "refused":
      return "the service has ended";
    case "denied":
      return "only root, and the user that has started the service, may reload it";
    default:
      return "try again";
  }
}

function say({ stdio }: Runtime, level: Level, text: string): void {
  stdio.writeErr(`${journalPrefix(level, stdio.isErrJournal())}postprox: ${escapeText(text)}\n`);
}
