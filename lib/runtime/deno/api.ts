// Shared by the parts of the adapter for Deno: timers, and the translation of errors.

import { IoError, type IoErrorKind, kindOfCode } from "../../ports/io_error.ts";
import { Timers } from "../shared/timers.ts";

// setTimeout would work, but its first call loads Deno's copy of Node's timers. That takes longer than everything else
// in a session. This alarm cannot be cancelled, and it does not keep the program alive. A pending operation or a
// listener does that.
const timers = new Timers(() => performance.now(), (delay, ring) => {
  AbortSignal.timeout(delay).addEventListener("abort", ring);
});

export function after(delay: number, callback: () => void): () => void {
  return timers.after(delay, callback);
}

// Linux error numbers for which Deno has no code (errno(3)).
const CODES: Readonly<Record<string, string>> = {
  "27": "EFBIG",
  "91": "EPROTOTYPE",
  "97": "EAFNOSUPPORT",
  "122": "EDQUOT",
};

/** `what` says what was tried. Without it the message is the reason alone. */
export function ioError(error: unknown, what = ""): IoError {
  if (error instanceof IoError) return error;
  const { message } = error as { message: string };
  let [kind, reason] = [kindOf(error), message.replace(/: \w+ '.*$/s, "")];
  // A lookup does not say that it had no descriptor.
  if (kind === "unknown-host" && isExhausted()) [kind, reason] = ["exhausted", "Too many open files"];
  return new IoError(kind, what === "" ? reason : `${what}: ${reason}`, { cause: error });
}

function kindOf(error: unknown): IoErrorKind {
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return "closed";
  const { code, message } = error as { code?: string; message: string };
  if (message.includes("lookup address")) return "unknown-host";
  return kindOfCode(code ?? CODES[/\(os error ([0-9]+)\)$/.exec(message)?.[1] ?? ""]);
}

// Whether we have no descriptor left.
function isExhausted(): boolean {
  try {
    Deno.openSync("/").close();
    return false;
  } catch (error) {
    return kindOfCode((error as { code?: string }).code) === "exhausted";
  }
}
