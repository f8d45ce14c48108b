// One conversation on standard input and output, for Postfix's spawn(8).
//
// There the client's socket is file descriptor 0, 1 and 2, so only SMTP is ever written to them. A signal to end, or an
// error that nothing caught, ends the session with 421. The result is the exit status: 0 after a session, or
// EX_TEMPFAIL (sysexits.h) if downstream could not be reached.

import { tell } from "../log/events.ts";
import { Session, type SessionParts } from "../session/session.ts";

const EX_SOFTWARE = 70;
const EX_TEMPFAIL = 75;

// The time that a session gets for its 421 after a bug. The bug may prevent the 421.
const BUG_GRACE = 1000;

export async function spawnMode(parts: SessionParts): Promise<number> {
  const { runtime, logger } = parts;
  const session = new Session(runtime.stdio.conn(), parts);
  let failed = false;
  runtime.onBug((error) => {
    tell(logger, "bug", { error });
    if (failed) return;
    failed = true;
    session.failOnBug();
    runtime.clock.after(BUG_GRACE, () => runtime.exit(EX_SOFTWARE));
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const) {
    runtime.signals.on(signal, () => session.shutDown());
  }
  // A file that exceeds the process's size limit is an error of its write, not a reason to die (setrlimit(2)).
  runtime.signals.on("SIGXFSZ", () => {});
  const end = await session.run();
  return failed ? EX_SOFTWARE : end === "unreachable" ? EX_TEMPFAIL : 0;
}
