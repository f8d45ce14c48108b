// The servers of one scanner. It asks one of them, and the next one if that fails.
//
//     const pool = new ServerPool({ clock, network }, { name: "clamd", servers, timeout });     // once in a process
//     const asked = await pool.ask(async (conn) => {                                            // for each message
//       for await (const chunk of message.chunks()) if (!await conn.send(chunk)) break;
//       const answer = parse(await conn.readUntil(NUL, 1000));  // throws a `ServerFailure` for nonsense
//       conn.keep();                                            // only if the protocol allows another question
//       return answer;
//     }, options);                                              // the `CheckOptions` have all that it needs
//     if ("why" in asked) return { kind: "unsure", ...asked };
//
// It tries the servers in their order. If one refuses the connection, fails, or does not answer within its share of the
// time, it tries the next one at once. The share is the time that is left, divided by the servers that are left. A
// server that failed comes after the others for 30 s. So the function may be called several times for a message, each
// time with another connection, and must start from the beginning. It may wait only for the connection and the message.
//
// A kept connection serves a later message, or is closed after a short time. It may have died meanwhile. Then a new one
// to the same server takes its place, once, and that is no failure.
//
// `ask` throws only an `IoError` that is not the server's fault: we have no descriptor left, or the spool fails. When
// `signal` is aborted, the connection is closed at once.

import { formatAddress } from "../ports/address.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Clock, Conn, Network } from "../ports/runtime.ts";
import { ServerConn, ServerFailure } from "./server_conn.ts";

export interface ServerPoolOptions {
  /** The scanner's name, for the log. */
  readonly name: string;
  readonly servers: readonly Address[];
  /** Milliseconds for a message, with all servers together. */
  readonly timeout: number;
  /** Milliseconds that a connection waits for the next question. */
  readonly keepFor?: number;
}

export interface AskOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until the answer is of no use. */
  readonly limit: number;
  /** Gets a line about servers that failed before another one answered. */
  readonly notice: (text: string) => void;
}

/**
 * The answer and the address that it came from. Or the reasons why there is no answer, one for each server, for the
 * log.
 */
export type Asked<Answer> =
  | { readonly answer: Answer; readonly server: string }
  | { readonly cause: "failed" | "late"; readonly why: string };

export type Talk<Answer> = (conn: ServerConn) => Promise<Answer>;

// A server that failed is not asked first for this time.
const REST = 30_000;

// Shorter than the time that any scanner allows a silent client.
const KEEP_FOR = 5_000;

/** Connections kept to one server. A scanner has hardly more threads than this. */
const KEPT_LIMIT = 16;

export class ServerPool {
  readonly #clock: Clock;
  readonly #network: Pick<Network, "connect">;
  readonly #name: string;
  readonly #timeout: number;
  readonly #servers: readonly Server[];

  constructor(
    { clock, network }: { clock: Clock; network: Pick<Network, "connect"> },
    { name, servers, timeout, keepFor = KEEP_FOR }: ServerPoolOptions,
  ) {
    this.#clock = clock;
    this.#network = network;
    this.#name = name;
    this.#timeout = timeout;
    this.#servers = servers.map((address) => new Server(address, clock, keepFor));
  }

  async ask<Answer>(talk: Talk<Answer>, { signal, limit, notice }: AskOptions): Promise<Asked<Answer>> {
    const deadline = this.#clock.now() + Math.min(limit, this.#timeout);
    const failures: string[] = [];
    let cause: "failed" | "late" = "late";
    const order = this.#order();
    for (const [at, server] of order.entries()) {
      const now = this.#clock.now();
      if (signal.aborted || now >= deadline) break;
      const share = (deadline - now) / (order.length - at);
      server.isTried(now);
      try {
        const answer = await this.#askServer(server, talk, { share, due: now + share, signal });
        server.rest(0);
        if (failures.length > 0) notice(`${this.#name} at ${server.name} answered, because ${failures.join("; ")}`);
        return { answer, server: server.name };
      } catch (error) {
        if (!(error instanceof ServerFailure)) throw error;
        if (signal.aborted) break;
        server.rest(error.isOfMessage ? 0 : this.#clock.now() + REST);
        failures.push(error.message);
        cause = error.isLate ? "late" : "failed";
      }
    }
    if (signal.aborted) return { cause: "failed", why: `nobody waits for ${this.#name} any more` };
    return { cause, why: `${this.#name} could not tell: ${failures.join("; ") || "no time was left"}` };
  }

  // Servers that failed a short time ago come last.
  #order(): Server[] {
    const now = this.#clock.now();
    return [...this.#servers.filter((one) => !one.rests(now)), ...this.#servers.filter((one) => one.rests(now))];
  }

  async #askServer<Answer>(server: Server, talk: Talk<Answer>, attempt: Attempt): Promise<Answer> {
    const kept = server.takeKept();
    if (kept) {
      try {
        return await this.#converse(server, kept, talk, attempt);
      } catch (error) {
        if (!(error instanceof ServerFailure) || error.isLate || attempt.signal.aborted || !kept.hasDied) throw error;
      }
    }
    return await this.#converse(server, new ServerConn(await this.#connect(server, attempt)), talk, attempt);
  }

  async #converse<Answer>(
    server: Server,
    conn: ServerConn,
    talk: Talk<Answer>,
    { share, due, signal }: Attempt,
  ): Promise<Answer> {
    const cancel = this.#clock.after(Math.max(0, due - this.#clock.now()), () => {
      conn.fail(new ServerFailure(`gave no answer within ${seconds(share)}`, { isLate: true }));
    });
    const abort = () => conn.close();
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    try {
      return await talk(conn);
    } catch (error) {
      if (!(error instanceof ServerFailure)) throw error;
      const { isLate, isOfMessage } = error;
      throw new ServerFailure(`${server.name} ${error.message}`, { isLate, isOfMessage });
    } finally {
      cancel();
      signal.removeEventListener("abort", abort);
      server.putBack(conn);
    }
  }

  // A connection cannot be stopped while it is made. So it is closed when it comes.
  async #connect({ address }: Server, { due, signal }: Attempt): Promise<Conn> {
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(new ServerFailure("was left"));
    signal.addEventListener("abort", abort);
    const connecting = this.#network.connect(address, Math.max(1, due - this.#clock.now()));
    try {
      return await Promise.race([connecting, aborted.promise]);
    } catch (error) {
      if (error instanceof ServerFailure) connecting.then((conn) => conn.close(), () => {});
      // Strangers may have used up our own means to ask. That is not the server's failure.
      if (!(error instanceof IoError) || error.kind === "exhausted") throw error;
      throw new ServerFailure(error.message, { isLate: error.kind === "timeout" });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}

interface Attempt {
  /** Its share in milliseconds, and the time on the clock when the share is over. */
  readonly share: number;
  readonly due: number;
  readonly signal: AbortSignal;
}

/** A server, and the connections to it that wait for the next message. */
class Server {
  readonly address: Address;
  readonly name: string;
  readonly #clock: Clock;
  readonly #keepFor: number;
  readonly #kept: { readonly conn: ServerConn; readonly cancel: () => void }[] = [];
  #restsUntil = 0;

  constructor(address: Address, clock: Clock, keepFor: number) {
    this.address = address;
    this.name = formatAddress(address);
    this.#clock = clock;
    this.#keepFor = keepFor;
  }

  rests(now: number): boolean {
    return this.#restsUntil > now;
  }

  rest(until: number): void {
    this.#restsUntil = until;
  }

  /** After a failure, one message tries the server again. All others wait until the result is known. */
  isTried(now: number): void {
    if (this.#restsUntil > 0 && !this.rests(now)) this.rest(now + REST);
  }

  takeKept(): ServerConn | undefined {
    const kept = this.#kept.pop();
    kept?.cancel();
    kept?.conn.watch(() => {});
    kept?.conn.renew();
    return kept?.conn;
  }

  /** Keeps a connection, or closes it. */
  putBack(conn: ServerConn): void {
    if (!conn.isReusable || this.#kept.length >= KEPT_LIMIT) return conn.close();
    const drop = () => {
      const at = this.#kept.findIndex((one) => one.conn === conn);
      if (at === -1) return;
      this.#kept.splice(at, 1);
      cancel();
      conn.close();
    };
    const cancel = this.#clock.after(this.#keepFor, drop);
    this.#kept.push({ conn, cancel });
    // A server has nothing to say unasked.
    conn.watch(drop);
  }
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds) / 1000} s`;
}
