// Into the background: this program starts itself again, waits until that one accepts connections, and leaves it behind.
//
// A runtime cannot fork(2). The one behind is the same command line with --foreground; it tells by its first line of
// output that it is ready, and by its standard error why it is not. So the caller knows from the exit status.

import type { Runtime } from "../runtime/ports.ts";
import { LF } from "../smtp/bytes.ts";

const EX_TEMPFAIL = 75;

/** Starts `args` again in the foreground of the background; gives the exit status for this process. */
export async function backgroundMode(
  runtime: Runtime,
  args: readonly string[],
  logsToStderr: boolean,
): Promise<number> {
  // In front of everything else, for behind a "--" it would be an operand.
  const self = await runtime.processes.startSelf(["--foreground", ...args], logsToStderr ? "inherit" : "pipe");
  if (await saysLine(self.stdout)) {
    self.release();
    return 0;
  }
  const why = await self.stderr;
  const end = await self.ended;
  // Killed before it could say why, for want of memory perhaps.
  if ("signal" in end) {
    runtime.stdio.writeErr(why || `postprox: the process in the background died of ${end.signal}: try again\n`);
    return EX_TEMPFAIL;
  }
  runtime.stdio.writeErr(why);
  return end.exit === 0 ? 1 : end.exit;
}

async function saysLine(stdout: ReadableStream<Uint8Array>): Promise<boolean> {
  for await (const chunk of stdout) {
    if (chunk.includes(LF)) return true;
  }
  return false;
}
