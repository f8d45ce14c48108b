// Goes into the background: this program starts itself again, waits until the new process accepts connections, and
// ends.
//
// A runtime cannot fork(2). The new process gets the same command line with --foreground. With its line of output it
// says that it is ready. Until then its messages go to our standard error: why it cannot start, or a problem that does
// not prevent the start, such as a missing syslog. So the exit status and the terminal tell the caller all.

import { journalPrefix } from "../log/sinks.ts";
import type { Level } from "../log/logger.ts";
import { IoError } from "../ports/io_error.ts";
import type { Runtime } from "../ports/runtime.ts";

const EX_TEMPFAIL = 75;

/** Listen mode writes a line to standard output when it accepts connections. The line begins with this. */
export const READY = "postprox: accepting connections";

/** Starts `args` again with --foreground. Returns the exit status of this process. */
export async function backgroundMode(
  runtime: Runtime,
  args: readonly string[],
  logsToStderr: boolean,
): Promise<number> {
  // It goes first: after a "--" it would be an operand.
  const self = await runtime.processes.startSelf(["--foreground", ...args], logsToStderr ? "inherit" : "stdout");
  let said = "";
  for await (const line of linesOf(self.stdout)) {
    if (line.startsWith(READY)) {
      await nameSuccessor(runtime, self.pid);
      self.release();
      return 0;
    }
    said += line;
    repeat(runtime, line);
  }
  const end = await self.ended;
  // It was killed before it could say why, perhaps because memory was short.
  if ("signal" in end) {
    if (said === "") repeat(runtime, `postprox: the process in the background died of ${end.signal}: try again\n`);
    return EX_TEMPFAIL;
  }
  return end.exit === 0 ? 1 : end.exit;
}

// The service manager may hear only us. Then it must know who goes on, before we end.
async function nameSuccessor(runtime: Runtime, pid: number): Promise<void> {
  if (!runtime.variable("NOTIFY_SOCKET")) return;
  try {
    await (await import("./notifier.ts")).nameSuccessor(runtime, pid);
  } catch (error) {
    // The new process has the same trouble, and its log says so.
    if (!(error instanceof IoError)) throw error;
  }
}

// The new process writes to a pipe, so it does not add the levels that a journal wants.
function repeat({ stdio }: Runtime, line: string): void {
  stdio.writeErr(`${journalPrefix(levelOf(line), stdio.isErrJournal())}${line}`);
}

// A line of the log has its level, as plain text or as JSON (log/sinks.ts). Other lines are errors.
function levelOf(line: string): Level {
  const plain = /^postprox\[[0-9]+\]: (warning|notice|info|debug): /;
  const json = /^\{"time":"[^"]*","level":"(warning|notice|info|debug)",/;
  return ((plain.exec(line) ?? json.exec(line))?.[1] ?? "error") as Level;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end + 1);
      text = text.slice(end + 1);
    }
  }
  if (text !== "") yield `${text}\n`;
}
