// One conversation on standard input and output, as Postfix's spawn(8) wants it.
//
// There the client's socket is file descriptor 0, 1 and 2, so nothing but SMTP is ever written. A signal to end, and an
// error that nothing caught, end the session with 421. The result is the exit status: 0 after a session, EX_TEMPFAIL
// (sysexits.h) when downstream could not be reached.

import { logBug } from "../log/events.ts";
import { Session, type SessionParts } from "../session/session.ts";

const EX_SOFTWARE = 70;
const EX_TEMPFAIL = 75;

// What a session gets to say its 421 after a bug; it may be the bug that keeps it from it.
const BUG_GRACE = 1000;

export async function spawnMode(parts: SessionParts): Promise<number> {
  const { runtime, logger } = parts;
  const session = new Session(runtime.stdio.conn(), parts);
  let failed = false;
  runtime.onBug((error) => {
    logBug(logger, error);
    if (failed) return;
    failed = true;
    session.failOnBug();
    runtime.clock.after(BUG_GRACE, () => runtime.exit(EX_SOFTWARE));
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const) {
    runtime.signals.on(signal, () => session.shutDown());
  }
  // A file that the process's limit of sizes forbids is an error of its write, and no reason to die (setrlimit(2)).
  runtime.signals.on("SIGXFSZ", () => {});
  const end = await session.run();
  return failed ? EX_SOFTWARE : end === "unreachable" ? EX_TEMPFAIL : 0;
}
