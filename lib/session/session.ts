// One conversation: a client on one side, downstream on the other. It reads like the dialogue of RFC 5321 s.3.
//
// This is its life: it connects, hears one command after another, and explains its end. What a command is answered with
// stands in `answers.ts`, which returns the replies that the loop writes. What ends it is an error: an `SmtpError` with
// a reply, `ClientLost` when nobody is there to hear one, or `DownstreamLost`; anything else is a bug: 421 to the
// client, the stack to the log.

import type { Check } from "../checks/check.ts";
import { SessionLog } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { IoError } from "../runtime/io_error.ts";
import type { Address, Conn, Runtime } from "../runtime/ports.ts";
import { shownVerb } from "../smtp/command.ts";
import { type Reply, replyClass } from "../smtp/reply.ts";
import { LineConn } from "../wire/line_conn.ts";
import type { Admission, AdmissionParts } from "./admission.ts";
import { Answers, type AnswersOptions } from "./answers.ts";
import { Client, translateClientError } from "./client.ts";
import { Downstream } from "./downstream.ts";
import { OWN_REPLIES } from "./own_replies.ts";
import { ClientLost, DownstreamLost, SmtpError } from "./smtp_error.ts";

export interface SessionOptions extends AnswersOptions {
  readonly downstream: Address;
  /** All times are in milliseconds. */
  readonly connectTimeout: number;
  readonly clientTimeout: number;
  readonly sessionTimeout: number;
  readonly keepalive: number;
}

export interface SessionParts extends SessionChecks {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly options: SessionOptions;
}

/** What looks at the mail of a session. */
export interface SessionChecks {
  readonly check: Check;
  /** Who asks the restrictions; absent where there are none. */
  readonly newAdmission?: ((parts: AdmissionParts) => Admission) | undefined;
}

/** How a session ended. `unreachable`: downstream could not be reached, or turned the session away with its greeting. */
export type SessionEnd = "ended" | "unreachable";

// Downstream has the message and owes the reply: most answer within a second. In milliseconds.
export const SHUTDOWN_GRACE = 10_000;

export class Session {
  readonly #parts: SessionParts;
  readonly #log: SessionLog;
  readonly #client: Client;
  readonly #stop = new AbortController();
  #downstream: Downstream | undefined;
  #answers: Answers | undefined;
  #over = false;
  #ended = false;
  #cancelGrace = () => {};
  #doing = "connecting";
  #outcome: SessionEnd = "ended";

  constructor(conn: Conn, parts: SessionParts) {
    const { clock } = parts.runtime;
    this.#parts = parts;
    const subject = () => ({ peer: conn.peer, envelope: this.#answers?.envelope });
    this.#log = new SessionLog(parts.logger, newSessionId(), subject);
    this.#client = new Client(
      new LineConn(conn, clock, { translate: translateClientError }),
      clock,
      parts.options.clientTimeout,
    );
  }

  /** Runs the conversation to its end. Never throws. */
  async run(): Promise<SessionEnd> {
    const { runtime: { clock }, options } = this.#parts;
    const cancelClock = clock.after(
      options.sessionTimeout,
      () => this.#end(new SmtpError(OWN_REPLIES.sessionTooLong, "session took too long")),
    );
    try {
      const downstream = await this.#open();
      if (downstream) {
        this.#answers = this.#newAnswers(downstream);
        await this.#converse(this.#answers);
      }
    } catch (error) {
      await this.#explain(error);
    } finally {
      cancelClock();
      this.#cancelGrace();
      this.#ended = true;
      await this.#downstream?.leave();
      this.#client.close();
    }
    return this.#outcome;
  }

  /**
   * Ends the session with a 421, except that a message whose final dot is out may still be answered, within
   * `SHUTDOWN_GRACE`; after that it is not known what becomes of it.
   */
  shutDown(): void {
    const reason = new SmtpError(OWN_REPLIES.shuttingDown, "shutting down");
    this.#end(reason);
    if (this.#ended) return;
    this.#cancelGrace();
    this.#cancelGrace = this.#parts.runtime.clock.after(
      SHUTDOWN_GRACE,
      () => this.#downstream?.interrupt(reason),
    );
  }

  /** Ends the session with a 421 after an error that nothing caught. */
  failOnBug(): void {
    this.#end(new SmtpError(OWN_REPLIES.bug, "bug"));
  }

  #end(reason: SmtpError): void {
    this.#stop.abort(reason);
    this.#client.interrupt(reason);
    // A message in hand ends by itself: before its final dot at once, behind it with what downstream says.
    if (this.#answers?.isInTransaction && this.#doing === "DATA") return;
    this.#downstream?.interrupt(reason);
  }

  /** Downstream, whose greeting has been said to the client; undefined where it cannot be had. */
  async #open(): Promise<Downstream | undefined> {
    const { runtime: { network, clock }, options } = this.#parts;
    this.#log.connected(options.downstream);
    let conn: Conn;
    let greeting: Reply;
    try {
      conn = await this.#orStop(network.connect(options.downstream, options.connectTimeout));
      this.#downstream = new Downstream(new LineConn(conn, clock, { holds: "replies" }), clock, options);
      // `#end` may have come just before, and found nothing to interrupt.
      this.#stop.signal.throwIfAborted();
      this.#doing = "waiting for the greeting";
      greeting = await this.#downstream.greeting();
      if (replyClass(greeting) === 3) throw new DownstreamLost("downstream greets with a 3xx reply");
    } catch (error) {
      if (!(error instanceof IoError || error instanceof DownstreamLost)) throw error;
      this.#outcome = "unreachable";
      this.#log.downstreamUnreachable(options.downstream, error.message);
      await this.#sayLast(OWN_REPLIES.downstreamUnreachable);
      return undefined;
    }
    // What the client says to that is between it and downstream.
    if (replyClass(greeting) !== 2) {
      this.#outcome = "unreachable";
      this.#log.turnedAway(options.downstream, greeting);
    }
    await this.#client.say(greeting);
    this.#over = greeting.code === 421;
    return this.#downstream;
  }

  #newAnswers(downstream: Downstream): Answers {
    const { runtime: { clock, files, pid, resolver }, check, newAdmission, options } = this.#parts;
    const parts = { client: this.#client, clock, stop: this.#stop.signal, log: this.#log };
    const admission = newAdmission?.({ ...parts, resolver, deferred: options.deferRcptRefusals });
    return new Answers({ ...parts, downstream, admission, check, files, pid, options });
  }

  // A connection that nobody waits for any more is closed when it comes.
  async #orStop(connecting: Promise<Conn>): Promise<Conn> {
    const { signal } = this.#stop;
    const stopped = Promise.withResolvers<never>();
    const stop = () => {
      stopped.reject(signal.reason);
      connecting.then((conn) => conn.close(), () => {});
    };
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      return await Promise.race([connecting, stopped.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #converse(answers: Answers): Promise<void> {
    while (!this.#over) {
      this.#doing = "waiting for a command";
      const command = await this.#client.nextCommand();
      if (command === null) {
        this.#noteUnheard();
        this.#log.clientLost(answers.isInTransaction ? "in a transaction" : "idle", "client ended the session");
        return;
      }
      // Who goes on has heard, or has sent its QUIT ahead and leaves in good order.
      answers.unheard = undefined;
      this.#doing = "raw" in command ? shownVerb(command) : command.verb;
      const reply = await answers.answer(command);
      // A server may refuse a QUIT, one with an argument say.
      const quits = command.verb === "QUIT" && replyClass(reply) === 2;
      if (reply.code === 421 || quits || answers.isLast) this.#over = true;
      await this.#client.say(reply);
      // The reply to a message is due: it does not wait until downstream has answered the commands behind it.
      if (command.verb === "DATA") await this.#client.flush();
    }
    await this.#client.flush();
  }

  // Who does not hear that a message is delivered will send it again. That our reply was written proves nothing: the
  // client may have left before it came.
  #noteUnheard(): void {
    const unheard = this.#answers?.unheard;
    if (unheard) this.#log.unheard(unheard);
  }

  async #explain(error: unknown): Promise<void> {
    // A client that has left, or was silent or deaf for too long; whom we send away for another reason has heard.
    const isLost = error instanceof ClientLost || (error instanceof SmtpError && error.cause instanceof IoError);
    if (isLost) this.#noteUnheard();
    if (error instanceof ClientLost) {
      // Postfix says QUIT and does not wait for the reply.
      if (this.#doing !== "QUIT") this.#log.clientLost(this.#doing, error.message);
      // It may have closed only its own side, and is owed what was held back.
      return await this.#sayLast();
    }
    if (error instanceof SmtpError) this.#log.ended(this.#doing, error.message);
    else if (error instanceof DownstreamLost) this.#log.downstreamLost(this.#doing, error.message);
    else this.#log.bug(error);
    const reply = error instanceof SmtpError
      ? error.reply
      : error instanceof DownstreamLost
      ? OWN_REPLIES.downstreamLost
      : OWN_REPLIES.bug;
    await this.#sayLast(reply);
  }

  async #sayLast(reply?: Reply): Promise<void> {
    try {
      if (reply) await this.#client.say(reply);
      await this.#client.flush();
    } catch (lost) {
      if (!(lost instanceof ClientLost || lost instanceof SmtpError)) throw lost;
      if (reply) this.#log.clientLost(this.#doing, lost.message);
    }
  }
}

function newSessionId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 10);
}
