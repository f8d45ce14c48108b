// Many conversations side by side: accept, run a session, until a signal says to stop.
//
// SIGTERM, SIGINT and SIGQUIT stop accepting, end idle sessions and filters with 421, and wait a little for messages that
// are past the point of no return. SIGHUP opens a log file anew and has the checks made again, for the sessions that come
// after it. A client beyond the limit gets 421 and takes no place. When the system has no descriptors left, accepting
// pauses; it never stops.

import { logAcceptFailed, logBug, logShutdown, logTooManyClients } from "../log/events.ts";
import { bind } from "./bind.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Conn, Listener } from "../ports/runtime.ts";
import { OWN_REPLIES } from "../session/own_replies.ts";
import { Session, type SessionChecks, type SessionParts, SHUTDOWN_GRACE } from "../session/session.ts";

export interface ListenOptions {
  readonly address: Address;
  readonly maxClients: number;
  /** Called, and waited for, once connections are accepted; what it throws ends listen mode. */
  readonly onReady: () => unknown;
  /** Makes the checks again, from the files as they are now; undefined where that cannot be, which it has logged. */
  readonly remake: () => Promise<SessionChecks | undefined>;
}

// How long an accept that failed for want of descriptors is let be.
const ACCEPT_PAUSE = 100;

// For replies and log lines of sessions that gave downstream up.
const LAST_WORDS = 1000;

/** Throws `IoError` when `address` cannot be bound; ends with status 0 after a signal. */
export async function listenMode(parts: SessionParts, options: ListenOptions): Promise<number> {
  const { runtime, logger } = parts;
  let listener: Listener | undefined = undefined;
  const sessions = new Map<Session, Promise<unknown>>();
  let stopping = false;
  let current = parts;
  let remade = Promise.resolve();
  runtime.onBug((error) => logBug(logger, error));
  runtime.signals.on("SIGHUP", () => {
    logger.reopen();
    // One after another, so that the last one counts.
    remade = remade.then(async () => {
      current = { ...current, ...await options.remake() };
    }).catch((error) => logBug(logger, error));
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    runtime.signals.on(signal, () => {
      if (stopping) return;
      stopping = true;
      logShutdown(logger, signal, sessions.size);
      listener?.close();
      for (const session of sessions.keys()) session.shutDown();
    });
  }
  // A file that the process's limit of sizes forbids is an error of its write, and no reason to die (setrlimit(2)).
  runtime.signals.on("SIGXFSZ", () => {});
  // Only now: the first process of a container gets no signal that it does not mind, and is stopped as soon as it listens.
  listener = await bind(runtime, logger, options.address);
  if (stopping) listener.close();
  try {
    await options.onReady();
  } catch (error) {
    if (!stopping) listener.close();
    throw error;
  }

  for (let conn = await accept(listener, parts); conn; conn = await accept(listener, parts)) {
    if (sessions.size >= options.maxClients) {
      logTooManyClients(logger, conn.peer, options.maxClients);
      void refuse(conn);
      continue;
    }
    const session = new Session(conn, current);
    sessions.set(session, session.run().finally(() => sessions.delete(session)));
    // Accepted, and then the signal came before this.
    if (stopping) session.shutDown();
  }

  const late = new Promise<void>((resolve) => runtime.clock.after(SHUTDOWN_GRACE + LAST_WORDS, resolve));
  await Promise.race([Promise.all(sessions.values()), late]);
  return 0;
}

async function accept(listener: Listener, { runtime, logger }: SessionParts): Promise<Conn | undefined> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (error.kind === "closed") return undefined;
      logAcceptFailed(logger, error.message);
      await new Promise<void>((resolve) => runtime.clock.after(ACCEPT_PAUSE, resolve));
    }
  }
}

async function refuse(conn: Conn): Promise<void> {
  try {
    await conn.write(OWN_REPLIES.tooManyClients.bytes);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  } finally {
    conn.close();
  }
}
