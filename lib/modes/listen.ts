// Many conversations side by side: accepts connections and runs sessions, until a signal says to stop.
//
// SIGTERM, SIGINT and SIGQUIT stop accepting. They end idle sessions and filters with 421, and wait a short time for
// messages that are past the point of no return. SIGHUP opens a log file again and loads the checks again, for the
// sessions after it. A client beyond the limit gets 421 and takes no place. When the system has no descriptors left,
// accepting pauses. It never stops.

import type { Judge } from "../checks/check.ts";
import { tell } from "../log/events.ts";
import { bind } from "./bind.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Conn, Listener } from "../ports/runtime.ts";
import { OWN_REPLIES } from "../session/own_replies.ts";
import { Session, type SessionChecks, type SessionParts, SHUTDOWN_GRACE } from "../session/session.ts";

export interface ListenOptions {
  readonly address: Address;
  readonly maxClients: number;
  /** Called when connections are accepted, and awaited, with the open sessions. An error that it throws ends listen mode. */
  readonly onReady: (sessions: { readonly size: number }) => unknown;
  /** Loads the checks again from the files as they are now; undefined if it cannot. It has then logged why. */
  readonly remake: () => Promise<Remade | undefined>;
}

// The pause after an accept that failed because we have no descriptors.
const ACCEPT_PAUSE = 100;

// The time for replies and log lines of sessions that gave up downstream.
export const LAST_WORDS = 1000;

/** The parts for sessions that begin after a reload. */
export interface Remade extends SessionChecks, Pick<SessionParts, "options"> {
  readonly maxClients: number;
}

/** Throws an `IoError` if `address` cannot be bound. Returns status 0 after a signal. */
export async function listenMode(parts: SessionParts, options: ListenOptions): Promise<number> {
  const { runtime, logger } = parts;
  let listener: Listener | undefined = undefined;
  const sessions = new Map<Session, Promise<unknown>>();
  let stopping = false;
  let current = parts;
  let { maxClients } = options;
  // Sessions may still ask these.
  const judges = new Set([parts.judge]);
  let remade = Promise.resolve();
  const retire = async (judge: Judge) => {
    if (judges.delete(judge)) await judge.retire?.();
  };
  runtime.onBug((error) => tell(logger, "bug", { error }));
  runtime.signals.on("SIGHUP", () => {
    logger.reopen();
    // One at a time, so that the last one counts.
    remade = remade.then(async () => {
      const before = current.judge;
      const made = await options.remake();
      if (!made) return;
      current = { ...current, newAdmission: undefined, ...made };
      maxClients = made.maxClients;
      judges.add(current.judge);
      // A session keeps the judge that it began with.
      void Promise.allSettled(sessions.values()).then(() => retire(before));
    }).catch((error) => tell(logger, "bug", { error }));
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    runtime.signals.on(signal, () => {
      if (stopping) return;
      stopping = true;
      tell(logger, "shutdown", { signal, sessions: sessions.size });
      listener?.close();
      for (const session of sessions.keys()) session.shutDown();
    });
  }
  // A file that exceeds the process's size limit is an error of its write, not a reason to die (setrlimit(2)).
  runtime.signals.on("SIGXFSZ", () => {});
  // This comes after the signal handlers. The first process of a container gets only signals that it handles, and may
  // be stopped as soon as it listens.
  listener = await bind(runtime, logger, options.address);
  if (stopping) listener.close();
  try {
    await options.onReady(sessions);
  } catch (error) {
    if (!stopping) listener.close();
    throw error;
  }

  for (let conn = await accept(listener, parts); conn; conn = await accept(listener, parts)) {
    if (sessions.size >= maxClients) {
      tell(logger, "tooManyClients", { peer: conn.peer, limit: maxClients });
      void refuse(conn);
      continue;
    }
    const session = new Session(conn, current);
    sessions.set(session, session.run().finally(() => sessions.delete(session)));
    // The signal came after the accept, but before this.
    if (stopping) session.shutDown();
  }

  const late = new Promise<void>((resolve) => runtime.clock.after(SHUTDOWN_GRACE + LAST_WORDS, resolve));
  await Promise.race([Promise.all(sessions.values()), late]);
  await Promise.all(Array.from(judges, retire));
  return 0;
}

async function accept(listener: Listener, { runtime, logger }: SessionParts): Promise<Conn | undefined> {
  for (;;) {
    try {
      return await listener.accept();
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      if (error.kind === "closed") return undefined;
      tell(logger, "acceptFailed", { why: error.message });
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
