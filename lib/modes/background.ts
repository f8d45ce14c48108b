// Into the background: this program starts itself again, waits until that one accepts connections, and leaves it behind.
//
// A runtime cannot fork(2). The one behind is the same command line with --foreground; by its line of output it tells that
// it is ready. What it says before goes to our standard error: why it is not, or what does not keep it from its start, as a
// syslog that is not there. So the caller knows from the exit status, and from what stands on the terminal.

import { journalPrefix } from "../log/sinks.ts";
import type { Level } from "../log/logger.ts";
import type { Runtime } from "../ports/runtime.ts";

const EX_TEMPFAIL = 75;

/** How the line begins that listen mode writes to standard output once it accepts connections. */
export const READY = "postprox: accepting connections";

/** Starts `args` again in the foreground of the background; gives the exit status for this process. */
export async function backgroundMode(
  runtime: Runtime,
  args: readonly string[],
  logsToStderr: boolean,
): Promise<number> {
  // In front of everything else, for behind a "--" it would be an operand.
  const self = await runtime.processes.startSelf(["--foreground", ...args], logsToStderr ? "inherit" : "stdout");
  let said = "";
  for await (const line of linesOf(self.stdout)) {
    if (line.startsWith(READY)) {
      self.release();
      return 0;
    }
    said += line;
    repeat(runtime, line);
  }
  const end = await self.ended;
  // Killed before it could say why, for want of memory perhaps.
  if ("signal" in end) {
    if (said === "") repeat(runtime, `postprox: the process in the background died of ${end.signal}: try again\n`);
    return EX_TEMPFAIL;
  }
  return end.exit === 0 ? 1 : end.exit;
}

// The one behind writes to a pipe, and so has no reason to give the levels that a journal wants.
function repeat({ stdio }: Runtime, line: string): void {
  const level = /^postprox\[[0-9]+\]: (warning|notice|info|debug): /.exec(line)?.[1] as Level | undefined;
  stdio.writeErr(`${journalPrefix(level ?? "error", stdio.isErrJournal())}${line}`);
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
