// What the parts of the adapter for Deno share: timers, and errors as ours.

import { IoError, kindOfCode } from "./io_error.ts";
import { Timers } from "./timers.ts";

// setTimeout would do, but its first call loads Deno's copy of Node's timers, which takes longer than all else in a
// session. The alarm cannot be taken back and does not keep the program alive; a pending operation does, or a listener.
const timers = new Timers(() => performance.now(), (delay, ring) => {
  AbortSignal.timeout(delay).addEventListener("abort", ring);
});

export function after(delay: number, callback: () => void): () => void {
  return timers.after(delay, callback);
}

// Linux's numbers of errors that Deno has no code for (errno(3)).
const CODES: Readonly<Record<string, string>> = { "27": "EFBIG", "122": "EDQUOT" };

export function ioError(error: unknown, what: string): IoError {
  if (error instanceof IoError) return error;
  const { code, message } = error as { code?: string; message: string };
  const kind = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted
    ? "closed"
    : message.includes("lookup address")
    ? "unknown-host"
    : kindOfCode(code ?? CODES[/\(os error ([0-9]+)\)$/.exec(message)?.[1] ?? ""]);
  return new IoError(kind, `${what}: ${message.replace(/: \w+ '.*$/s, "")}`, { cause: error });
}
