// One conversation: a client on one side, downstream on the other. It reads like the dialogue of RFC 5321 s.3.
//
// A session connects, answers one command after another, and explains its end. `answers.ts` has the answers, and the loop
// writes them. A session ends with its last reply or with an error: `SmtpError` has a reply, `ClientLost` means that nobody
// can hear one, and `DownstreamLost`. Any other error is a bug: the client hears 421, and the log gets the stack.
//
// If the client leaves, the session ends at once, even while downstream hangs. There is one exception: after the final dot
// of a message downstream has a while to answer, so that the log can tell the outcome.

import type { Judge } from "../checks/check.ts";
import { SessionLog } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { IoError } from "../ports/io_error.ts";
import type { Address, Conn, Runtime } from "../ports/runtime.ts";
import { type Command, shownVerb } from "../smtp/command.ts";
import { Dialogue } from "../smtp/dialogue.ts";
import { type Reply, replyClass } from "../smtp/reply.ts";
import type { Marks } from "../spool/mark.ts";
import { LineConn } from "../wire/line_conn.ts";
import type { Admission, AdmissionParts } from "./admission.ts";
import { Answers, type AnswersOptions } from "./answers.ts";
import { type BadLine, Client, translateClientError, WATCH_DELAY } from "./client.ts";
import { Downstream } from "./downstream.ts";
import { OWN_REPLIES } from "./own_replies.ts";
import { ClientLost, DownstreamLeft, DownstreamLost, SmtpError } from "./smtp_error.ts";
import { heedDownstream, Stop, unlessStopped } from "./waiting.ts";

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
  readonly marks: Marks;
  readonly options: SessionOptions;
}

/** The parts that look at the mail of a session. */
export interface SessionChecks {
  readonly judge: Judge;
  /** Makes the part that asks the restrictions. Absent if there are none. */
  readonly newAdmission?: ((parts: AdmissionParts) => Admission) | undefined;
}

/** How a session ended. `unreachable`: downstream could not be reached, or its greeting refused the session. */
export type SessionEnd = "ended" | "unreachable";

// Downstream has the message and owes the reply. Most servers answer within a second. In milliseconds.
export const SHUTDOWN_GRACE = 10_000;

// The client has left, and downstream owes the reply to its message. After this time the outcome is unknown.
const LEFT_GRACE = 3_000;

// The client has closed its sending side, and downstream still owes replies. The session ends after this time. Together
// with the delay before we notice it, this is 3 s.
const OWED_PATIENCE = 3_000 - WATCH_DELAY;

// The client has closed its sending side after a QUIT. After this time we answer that QUIT ourselves.
const QUIT_PATIENCE = 10_000;

/** Each of these limits is set once. */
type Limit = "session" | "shutdown" | "left" | "owed" | "quit";

export class Session {
  readonly #parts: SessionParts;
  readonly #log: SessionLog;
  readonly #client: Client;
  readonly #dialogue = new Dialogue();
  readonly #stop = new Stop();
  /** How to cancel each time limit that runs. */
  readonly #limits: Partial<Record<Limit, () => void>> = {};
  #downstream: Downstream | undefined;
  #answers: Answers | undefined;
  /** The client's last command, until the client has its reply and we wait for the next one. */
  #command: Command | BadLine | undefined;
  #outcome: SessionEnd = "ended";

  constructor(conn: Conn, parts: SessionParts) {
    const { clock } = parts.runtime;
    this.#parts = parts;
    const subject = () => ({ peer: conn.peer, envelope: this.#answers?.envelope });
    this.#log = new SessionLog(parts.logger, newSessionId(), subject);
    const wire = new LineConn(conn, clock, { translate: translateClientError });
    this.#client = new Client(wire, clock, parts.options.clientTimeout);
    this.#client.onEnded = () => this.#lookAfterClient();
  }

  /** Runs the conversation to its end. Never throws, and leaves neither side open. */
  async run(): Promise<SessionEnd> {
    const client = this.#client;
    const dialogue = this.#dialogue;
    try {
      const downstream = await this.#open();
      // An idle session keeps the frame of each function that waits. So the loop is here.
      while (downstream && dialogue.phase !== "leaving") {
        this.#command = undefined;
        heedDownstream({ client, downstream });
        const command = await client.nextCommand();
        downstream.heed(undefined);
        if (command === null) {
          this.#noteLeft();
          break;
        }
        // A client that says one more command has heard of the delivery. Or it sent its QUIT ahead, and leaves in good order.
        dialogue.move("heard");
        this.#command = command;
        client.watchSoon();
        // Many clients are greeted and say nothing.
        this.#answers ??= this.#newAnswers(downstream);
        const reply = await this.#answers.answer(command);
        if (reply.code === 421) dialogue.move("last");
        await client.say(reply);
        // The reply to a message is urgent. It does not wait for the replies to the commands after it.
        if (command.verb === "DATA") await client.flush();
      }
      await client.flush();
    } catch (error) {
      this.#downstream?.heed(undefined);
      await this.#explain(error).catch((bug) => this.#logBug(bug));
    }
    await this.#leave().catch((bug) => this.#logBug(bug));
    return this.#outcome;
  }

  async #leave(): Promise<void> {
    try {
      this.#dialogue.move("end");
      for (const cancel of Object.values(this.#limits)) cancel();
      await this.#downstream?.leave();
    } finally {
      this.#client.close();
    }
  }

  /**
   * Ends the session with a 421. But if the final dot of a message is out, downstream may still answer it within
   * `SHUTDOWN_GRACE`. After that the outcome is not known.
   */
  shutDown(): void {
    this.#end(new SmtpError(OWN_REPLIES.shuttingDown, "shutting down"), { limit: "shutdown", grace: SHUTDOWN_GRACE });
  }

  /** Ends the session with a 421 after an error that nothing caught. */
  failOnBug(): void {
    this.#end(new SmtpError(OWN_REPLIES.bug, "bug"));
  }

  #end(reason: Error, late?: { readonly limit: Limit; readonly grace: number }): void {
    const { phase } = this.#dialogue;
    if (phase === "over") return;
    this.#stop.come(reason);
    this.#client.interrupt(reason);
    // A message ends by itself: before its final dot at once, after it with what downstream says.
    if (phase !== "message") this.#downstream?.interrupt(reason);
    else if (late) this.#after(late.limit, late.grace, () => this.#downstream?.interrupt(reason));
  }

  // Calls `callback` after `delay` milliseconds, unless this limit runs already.
  #after(limit: Limit, delay: number, callback: () => void): void {
    this.#limits[limit] ??= this.#parts.runtime.clock.after(delay, callback);
  }

  // Called if the client leaves, or closes its sending side. It may be called several times.
  #lookAfterClient(): void {
    const { phase } = this.#dialogue;
    if (phase === "over") return;
    const leave = () => this.#end(this.#client.lost, { limit: "left", grace: LEFT_GRACE });
    const { presence } = this.#client;
    if (presence === "broken" || (presence === "gone" && phase === "message")) leave();
    else if (this.#command?.verb === "QUIT") {
      const why = "downstream did not answer the QUIT of a client that has left";
      this.#after("quit", QUIT_PATIENCE, () => this.#downstream?.abandon(why));
    } else if (presence === "gone") this.#after("owed", OWED_PATIENCE, leave);
  }

  /** The present work of the session, in words for the log. */
  get #doing(): string {
    const { phase } = this.#dialogue;
    if (phase === "connecting") return "connecting";
    if (phase === "greeting") return "waiting for the greeting";
    const command = this.#command;
    if (!command) return "waiting for a command";
    return "raw" in command ? shownVerb(command) : command.verb;
  }

  /** Downstream, after the client has heard its greeting; undefined if downstream cannot be reached. */
  async #open(): Promise<Downstream | undefined> {
    const { runtime: { network, clock }, options } = this.#parts;
    const tooLong = () => this.#end(new SmtpError(OWN_REPLIES.sessionTooLong, "session took too long"));
    this.#after("session", options.sessionTimeout, tooLong);
    this.#log.tell("connected", { downstream: options.downstream });
    // The connection and the greeting have one limit together. Either may never come.
    const due = clock.now() + options.connectTimeout;
    this.#client.watchSoon();
    let greeting: Reply;
    try {
      const connecting = network.connect(options.downstream, options.connectTimeout);
      // If the session ends before the connection comes, the connection is closed when it comes.
      const close = () => void connecting.then((conn) => conn.close(), () => {});
      const conn = await unlessStopped(this.#stop, connecting, close);
      const wire = new LineConn(conn, clock, { holds: "replies" });
      this.#downstream = new Downstream(wire, clock, options);
      this.#downstream.onBug = (error) => this.#failUnasked(error);
      // `#end` may have been called before, when there was nothing to interrupt.
      this.#stop.throwIfCome();
      this.#dialogue.move("connected");
      greeting = await this.#downstream.greeting(due);
      if (replyClass(greeting) === 3) throw new DownstreamLost("downstream greeted with a 3xx reply");
    } catch (error) {
      if (!(error instanceof IoError || error instanceof DownstreamLost)) throw error;
      this.#outcome = "unreachable";
      const isLate = this.#downstream && clock.now() >= due;
      const why = isLate ? `no greeting within ${options.connectTimeout / 1000} s` : error.message;
      this.#log.tell("downstreamUnreachable", { downstream: options.downstream, why });
      await this.#sayLast(OWN_REPLIES.downstreamUnreachable);
      return undefined;
    }
    // The client hears this greeting too, and may answer.
    if (replyClass(greeting) !== 2) {
      this.#outcome = "unreachable";
      this.#log.tell("turnedAway", { downstream: options.downstream, greeting });
    }
    await this.#client.say(greeting);
    // A client that has already sent commands hears it at once as well.
    await this.#client.flush();
    this.#dialogue.move(greeting.code === 421 ? "last" : "greeted");
    return this.#downstream;
  }

  // Called with a bug that nobody waits for.
  #failUnasked(error: unknown): void {
    this.#log.tell("bug", { error });
    this.failOnBug();
  }

  #newAnswers(downstream: Downstream): Answers {
    const { runtime: { clock, files, pid, resolver, turn }, marks, judge, newAdmission, options } = this.#parts;
    const parts = { client: this.#client, clock, stop: this.#stop, log: this.#log, dialogue: this.#dialogue };
    const admission = newAdmission?.({ ...parts, resolver, deferred: options.deferRcptRefusals });
    return new Answers({ ...parts, downstream, admission, judge, files, marks, turn, pid, options });
  }

  // The client has ended the session.
  #noteLeft(): void {
    this.#noteUnheard();
    const { phase } = this.#dialogue;
    const doing = phase === "mail" || phase === "rcpt" ? "in a transaction" : "idle";
    this.#log.tell("clientLost", { doing, why: "client ended the session" });
  }

  // A client that does not hear of a delivery sends the message again. We wrote the reply, but the client may have left
  // before it came.
  #noteUnheard(): void {
    const unheard = this.#answers?.unheard;
    if (unheard) this.#log.tell("unheard", { envelope: unheard });
  }

  async #explain(error: unknown): Promise<void> {
    try {
      this.#logEnd(error);
    } finally {
      await this.#sayLast(farewellFor(error));
    }
  }

  #logEnd(error: unknown): void {
    // The client has left, or was silent or took nothing for too long. In every other case it hears our last reply.
    const isLost = error instanceof ClientLost || (error instanceof SmtpError && error.cause instanceof IoError);
    if (isLost) this.#noteUnheard();
    const doing = this.#doing;
    if (error instanceof ClientLost) {
      // Postfix says QUIT and does not wait for the reply.
      if (this.#command?.verb !== "QUIT") this.#log.tell("clientLost", { doing, why: error.message });
    } else if (error instanceof SmtpError) this.#log.tell("ended", { doing, why: error.message });
    else if (error instanceof DownstreamLost) this.#log.tell("downstreamLost", { doing, why: error.message });
    else this.#log.tell("bug", { error });
  }

  #logBug(error: unknown): void {
    try {
      this.#log.tell("bug", { error });
    } catch {
      // The log itself may be broken.
    }
  }

  async #sayLast(reply?: Reply): Promise<void> {
    try {
      if (reply) await this.#client.say(reply);
      await this.#client.flush();
    } catch (lost) {
      if (!(lost instanceof ClientLost || lost instanceof SmtpError)) throw lost;
      if (reply) this.#log.tell("clientLost", { doing: this.#doing, why: lost.message });
    }
  }
}

// The last reply of the session; undefined if the client has left. It may still hear the replies that were held back.
function farewellFor(error: unknown): Reply | undefined {
  if (error instanceof ClientLost) return undefined;
  if (error instanceof SmtpError) return error.reply;
  if (error instanceof DownstreamLeft && error.farewell) return error.farewell;
  return error instanceof DownstreamLost ? OWN_REPLIES.downstreamLost : OWN_REPLIES.bug;
}

function newSessionId(): string {
  // Random hexadecimal digits, without the hyphen between them.
  const uuid = crypto.randomUUID();
  return uuid.slice(0, 8) + uuid.slice(9, 11);
}
