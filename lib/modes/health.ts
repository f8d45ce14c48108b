// Whether mail can be taken now: the answer of /healthz.
//
// It asks the next hop, the servers of the scanners and the spool directory, side by side, and gives each of them 3 s. It
// asks at most once in 5 s, however many want to know: the others get the same answer. Nothing throws.

import { IoError } from "../ports/io_error.ts";
import type { Address, Clock, Network, Runtime } from "../ports/runtime.ts";
import { formatAddress } from "../ports/address.ts";
import { Downstream } from "../session/downstream.ts";
import { DownstreamLost } from "../session/smtp_error.ts";
import { type Reply, replyClass, replyText } from "../smtp/reply.ts";
import { checkSpoolDirectory } from "../spool/directory.ts";
import { LineConn } from "../wire/line_conn.ts";
import type { ServerConn } from "../wire/server_conn.ts";
import { ServerPool } from "../wire/server_pool.ts";

/** An answer holds for this long. In milliseconds. */
export const ASK_INTERVAL = 5_000;

/** Each is given so many milliseconds to answer. */
export const ANSWER_LIMIT = 3_000;

/** Finds out whether one thing works. */
export interface Probe {
  /** The thing, in plain words. */
  readonly name: string;
  /** Gives the reason why it does not work, in plain words; undefined if it works. */
  readonly ask: () => Promise<string | undefined>;
}

// A probe has limits of its own, but a disk that hangs has none.
const LAST_LIMIT = ANSWER_LIMIT + 500;

export class Health {
  readonly #clock: Clock;
  readonly #probes: () => Promise<readonly Probe[]>;
  #asked: { readonly at: number; readonly faults: Promise<readonly string[]> } | undefined;

  /** `probes` is called for each question, so it may depend on settings that were read again. */
  constructor(clock: Clock, probes: () => Promise<readonly Probe[]>) {
    this.#clock = clock;
    this.#probes = probes;
  }

  /** What is wrong, one sentence each. Empty: all is well. */
  faults(): Promise<readonly string[]> {
    const now = this.#clock.now();
    if (!this.#asked || now >= this.#asked.at + ASK_INTERVAL) this.#asked = { at: now, faults: this.#ask() };
    return this.#asked.faults;
  }

  async #ask(): Promise<readonly string[]> {
    const faults = await Promise.all((await this.#probes()).map((probe) => this.#faultOf(probe)));
    return faults.filter((fault) => fault !== undefined);
  }

  async #faultOf({ name, ask }: Probe): Promise<string | undefined> {
    let cancel = () => {};
    const late = new Promise<string>((resolve) => {
      const why = `${name} did not answer within ${ANSWER_LIMIT / 1000} s`;
      cancel = this.#clock.after(LAST_LIMIT, () => resolve(why));
    });
    try {
      return await Promise.race([ask(), late]);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      return `${name} cannot be asked: ${error.message}`;
    } finally {
      cancel();
    }
  }
}

type Ports = Pick<Runtime, "clock"> & { readonly network: Pick<Network, "connect"> };

/** Asks the next hop for its greeting, and says QUIT. */
export function nextHopProbe({ clock, network }: Ports, downstream: Address): Probe {
  const name = `the next hop ${formatAddress(downstream)}`;
  const ask = async () => {
    const due = clock.now() + ANSWER_LIMIT;
    try {
      const greeting = await greetingOf({ clock, network }, downstream, due);
      return replyClass(greeting) === 2 ? undefined : `${name} takes no mail: it said ${replyText(greeting)}`;
    } catch (error) {
      if (!(error instanceof IoError || error instanceof DownstreamLost)) throw error;
      if (error instanceof IoError && error.kind === "exhausted") throw error;
      return `${name} does not answer: ${error.message}`;
    }
  };
  return { name, ask };
}

async function greetingOf({ clock, network }: Ports, downstream: Address, due: number): Promise<Reply> {
  const conn = new LineConn(await network.connect(downstream, ANSWER_LIMIT), clock, { holds: "replies" });
  const server = new Downstream(conn, clock, { replyTimeout: ANSWER_LIMIT, keepalive: ANSWER_LIMIT });
  try {
    return await server.greeting(due);
  } finally {
    await server.leave();
  }
}

export interface Scanner {
  readonly name: string;
  readonly servers: readonly Address[];
  /** Asks a server whether it is there. Throws a `ServerFailure`. */
  readonly ping: (conn: ServerConn) => Promise<void>;
}

/** Asks the servers of a scanner, in their order, until one answers. */
export function scannerProbe({ clock, network }: Ports, { name, servers, ping }: Scanner): Probe {
  const ask = async () => {
    const pool = new ServerPool({ clock, network }, { name, servers, timeout: ANSWER_LIMIT });
    const { signal } = new AbortController();
    const asked = await pool.ask(ping, { signal, limit: ANSWER_LIMIT, notice: () => {} });
    return "why" in asked ? asked.why : undefined;
  };
  return { name, ask };
}

/** Makes a file in the spool directory, and removes it. */
export function spoolProbe({ files, pid }: Pick<Runtime, "files" | "pid">, directory: string): Probe {
  const name = "the spool directory";
  const ask = async () => {
    try {
      await checkSpoolDirectory(files, directory, { pid, withContent: true });
      return undefined;
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      return `${name} cannot be used: ${error.message}`;
    }
  };
  return { name, ask };
}
