// Many conversations side by side: accepts connections and runs sessions, until a signal says to stop.
//
// SIGTERM and SIGINT stop accepting, and let the sessions go on until they end by themselves (drain). When the time for
// that is over, at a second such signal, and at SIGQUIT, the sessions end: idle ones and filters with 421. Messages that
// are past the point of no return get a short time. SIGHUP opens a log file again and loads the checks again, for the
// sessions after it. A client beyond the limit gets 421 and takes no place. When the system has no descriptors left,
// accepting pauses. It never stops.

import type { Judge } from "../checks/check.ts";
import { tell } from "../log/events.ts";
import { IoError } from "../ports/io_error.ts";
import type { Clock, Conn, Listener } from "../ports/runtime.ts";
import { OWN_REPLIES } from "../session/own_replies.ts";
import { acceptNext } from "./accept.ts";
import type { Places } from "./places.ts";
import { BUG, ENDING, type ReloadOutcome } from "./reload_words.ts";
import { Session, type SessionChecks, type SessionParts, SHUTDOWN_GRACE } from "../session/session.ts";

export interface ListenOptions {
  /** Starts to accept connections. */
  readonly listen: () => Promise<Listener>;
  readonly places: Places;
  /** How many places there are. */
  readonly maxClients: number;
  /** After a signal to end, sessions may go on for this long. In milliseconds. */
  readonly drainTimeout: number;
  /** Called when connections are accepted, and awaited. An error that it throws ends listen mode. */
  readonly onReady: (state: ListenState) => unknown;
  /** Loads the checks again from the files as they are now. If it cannot, nothing is made, and it has logged why. */
  readonly remake: () => Promise<{ readonly made?: Remade | undefined; readonly outcome: ReloadOutcome }>;
}

/** How listen mode stands. It changes. */
export interface ListenState {
  /** How many sessions are open. */
  readonly size: number;
  readonly maxClients: number;
  /** No connections are accepted any more. */
  readonly isStopping: boolean;
  /** Does what SIGHUP does. When it has done so, sessions that begin have the new checks. Never throws. */
  reload(): Promise<ReloadOutcome>;
}

// The time for replies and log lines of sessions that gave up downstream.
const LAST_WORDS = 1000;

/** The parts for sessions that begin after a reload. */
export interface Remade
  extends SessionChecks, Pick<SessionParts, "options">, Pick<ListenOptions, "maxClients" | "drainTimeout"> {}

/** Throws an `IoError` if `listen` does. Returns status 0 after a signal. */
export async function listenMode(parts: SessionParts, options: ListenOptions): Promise<number> {
  const { runtime, logger } = parts;
  let listener: Listener | undefined = undefined;
  const sessions = new Map<Session, Promise<unknown>>();
  const end = new End(runtime.clock);
  let current = parts;
  let { drainTimeout } = options;
  const { places } = options;
  places.limit = options.maxClients;
  // Clients that wait for an answer about a place.
  const waiting = new Set<Promise<void>>();
  // Sessions may still ask these.
  const judges = new Set([parts.judge]);
  let remade: Promise<unknown> = Promise.resolve();
  const retire = async (judge: Judge) => {
    if (judges.delete(judge)) await judge.retire?.();
  };
  runtime.onBug((error) => tell(logger, "bug", { error }));
  const remake = async (): Promise<ReloadOutcome> => {
    // No session begins any more.
    if (end.isNear) return ENDING;
    const before = current.judge;
    const { made, outcome } = await options.remake();
    if (made) {
      current = { ...current, newAdmission: undefined, ...made };
      ({ maxClients: places.limit, drainTimeout } = made);
      judges.add(current.judge);
      // A session keeps the judge that it began with.
      void Promise.allSettled(sessions.values()).then(() => retire(before));
    }
    return end.isNear ? ENDING : outcome;
  };
  const reload = (): Promise<ReloadOutcome> => {
    logger.reopen();
    // One at a time, so that the last one counts.
    const outcome = remade.then(remake).catch((error) => {
      tell(logger, "bug", { error });
      return BUG;
    });
    remade = outcome;
    return outcome;
  };
  runtime.signals.on("SIGHUP", () => void reload());
  const stop = () => {
    end.come();
    for (const session of sessions.keys()) session.shutDown();
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    runtime.signals.on(signal, () => {
      if (end.isHere) return;
      const isDrain = !end.isNear && signal !== "SIGQUIT";
      const limit = (isDrain ? drainTimeout : 0) + SHUTDOWN_GRACE + LAST_WORDS;
      tell(logger, "shutdown", { signal, sessions: sessions.size, limit });
      if (!isDrain) stop();
      else {
        end.comesIn(drainTimeout, () => {
          tell(logger, "drained", { sessions: sessions.size });
          stop();
        });
      }
      listener?.close();
    });
  }
  // A file that exceeds the process's size limit is an error of its write, not a reason to die (setrlimit(2)).
  runtime.signals.on("SIGXFSZ", () => {});
  // This comes after the signal handlers. The first process of a container gets only signals that it handles, and may
  // be stopped as soon as it listens.
  listener = await options.listen();
  if (end.isNear) listener.close();
  try {
    await options.onReady({
      get size() {
        return sessions.size;
      },
      get maxClients() {
        return places.limit;
      },
      get isStopping() {
        return end.isNear;
      },
      reload,
    });
  } catch (error) {
    listener.close();
    throw error;
  }

  const begin = (conn: Conn, hasPlace: boolean) => {
    if (!hasPlace) {
      tell(logger, "tooManyClients", { peer: conn.peer, limit: places.limit });
      void refuse(conn);
      return;
    }
    const session = new Session(conn, current);
    const leave = () => {
      sessions.delete(session);
      places.leave();
    };
    sessions.set(session, session.run().finally(leave));
    // The signal came after the accept, but before this.
    if (end.isHere) session.shutDown();
  };
  const accept = () =>
    acceptNext(listener, parts.runtime.clock, ({ message }) => tell(parts.logger, "acceptFailed", { why: message }));
  for (let conn = await accept(); conn; conn = await accept()) {
    const here = conn;
    const hasPlace = places.take();
    if (typeof hasPlace === "boolean") begin(here, hasPlace);
    else {
      // Others may have a place already.
      const beginning = hasPlace.then((hasPlace) => begin(here, hasPlace)).finally(() => waiting.delete(beginning));
      waiting.add(beginning);
    }
  }

  const allEnded = async () => {
    await Promise.all(waiting);
    await Promise.all(sessions.values());
  };
  await Promise.race([allEnded(), end.isOver]);
  end.cancel();
  await Promise.all(Array.from(judges, retire));
  return 0;
}

/** The end of the sessions: first near, because of a signal, and then here. */
class End {
  readonly #clock: Clock;
  readonly #over = Promise.withResolvers<void>();
  #state: "far" | "near" | "here" = "far";
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isNear(): boolean {
    return this.#state !== "far";
  }

  get isHere(): boolean {
    return this.#state === "here";
  }

  /** Done when every session had the time to end. */
  get isOver(): Promise<void> {
    return this.#over.promise;
  }

  /** The end is near: `callback` is called after `delay`, and calls `come`. */
  comesIn(delay: number, callback: () => void): void {
    this.#state = "near";
    this.#cancel = this.#clock.after(delay, callback);
  }

  come(): void {
    this.#state = "here";
    this.cancel();
    this.#cancel = this.#clock.after(SHUTDOWN_GRACE + LAST_WORDS, this.#over.resolve);
  }

  cancel(): void {
    this.#cancel?.();
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
