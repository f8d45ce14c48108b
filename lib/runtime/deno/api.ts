// What the parts of the adapter for Deno share: timers, and errors as ours.

import { IoError, type IoErrorKind, kindOfCode } from "../../ports/io_error.ts";
import { Timers } from "../shared/timers.ts";

// setTimeout would do, but its first call loads Deno's copy of Node's timers, which takes longer than all else in a
// session. The alarm cannot be taken back and does not keep the program alive; a pending operation does, or a listener.
const timers = new Timers(() => performance.now(), (delay, ring) => {
  AbortSignal.timeout(delay).addEventListener("abort", ring);
});

export function after(delay: number, callback: () => void): () => void {
  return timers.after(delay, callback);
}

// Linux's numbers of errors that Deno has no code for (errno(3)).
const CODES: Readonly<Record<string, string>> = {
  "27": "EFBIG",
  "91": "EPROTOTYPE",
  "97": "EAFNOSUPPORT",
  "122": "EDQUOT",
};

/** `what` was tried; without it the message is the reason alone. */
export function ioError(error: unknown, what = ""): IoError {
  if (error instanceof IoError) return error;
  const { message } = error as { message: string };
  let [kind, reason] = [kindOf(error), message.replace(/: \w+ '.*$/s, "")];
  // A lookup does not say it.
  if (kind === "unknown-host" && isExhausted()) [kind, reason] = ["exhausted", "Too many open files"];
  return new IoError(kind, what === "" ? reason : `${what}: ${reason}`, { cause: error });
}

function kindOf(error: unknown): IoErrorKind {
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return "closed";
  const { code, message } = error as { code?: string; message: string };
  if (message.includes("lookup address")) return "unknown-host";
  return kindOfCode(code ?? CODES[/\(os error ([0-9]+)\)$/.exec(message)?.[1] ?? ""]);
}

// Whether no descriptor is left.
function isExhausted(): boolean {
  try {
    Deno.openSync("/").close();
    return false;
  } catch (error) {
    return kindOfCode((error as { code?: string }).code) === "exhausted";
  }
}
