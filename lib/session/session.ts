// One conversation: a client on one side, downstream on the other. It reads like the dialogue of RFC 5321 s.3.
//
// A command goes downstream as it came and its reply comes back as it is; the exceptions stand in `#answer`, each with
// its reason. Only the loop writes replies, handlers return them; the 354 and the 334 in mid-command are the exceptions.
// Handlers throw `SmtpError` to end the session with a reply, `ClientLost` when nobody is there to hear one, and
// `DownstreamLost`; anything else is a bug: 421 to the client, the stack to the log.

import type { Check } from "../checks/check.ts";
import { emptyEnvelope, type Envelope } from "../envelope.ts";
import { SessionLog } from "../log/events.ts";
import type { Logger } from "../log/logger.ts";
import { IoError } from "../runtime/io_error.ts";
import type { Address, Conn, Runtime } from "../runtime/ports.ts";
import { bytesOf, textOf } from "../smtp/bytes.ts";
import type { Command } from "../smtp/command.ts";
import { nextPhase, type Phase } from "../smtp/dialogue.ts";
import { filterEhlo } from "../smtp/ehlo.ts";
import { parsePath } from "../smtp/path.ts";
import { type Reply, replyClass } from "../smtp/reply.ts";
import { mergeXforward } from "../smtp/xforward.ts";
import { LineConn } from "../wire/line_conn.ts";
import { type BadLine, Client, translateClientError } from "./client.ts";
import { Downstream } from "./downstream.ts";
import { type MessageOptions, takeMessage } from "./message.ts";
import { OWN_REPLIES } from "./own_replies.ts";
import { ClientLost, DownstreamLost, SmtpError } from "./smtp_error.ts";

export interface SessionOptions extends MessageOptions {
  readonly downstream: Address;
  /** All times are in milliseconds. */
  readonly connectTimeout: number;
  readonly clientTimeout: number;
  readonly sessionTimeout: number;
  readonly keepalive: number;
}

export interface SessionParts {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly check: Check;
  readonly options: SessionOptions;
}

/** How a session ended; `unreachable` is the one that a caller may want to know. */
export type SessionEnd = "ended" | "unreachable";

// More recipients than any server takes in one transaction; what we keep of them is bounded by it.
const RECIPIENT_LIMIT = 20000;

// Lines that are no commands and commands that we refuse; a client in its right mind sends none.
const ERROR_LIMIT = 100;

const CANCEL_AUTH = bytesOf("*\r\n");

export class Session {
  readonly #parts: SessionParts;
  readonly #log: SessionLog;
  readonly #client: Client;
  readonly #clientConn: LineConn;
  readonly #stop = new AbortController();
  #downstream!: Downstream;
  #downstreamConn: LineConn | undefined;
  #phase: Phase = "idle";
  #envelope: Envelope = emptyEnvelope();
  /** The message whose delivery the client has not shown to have heard of. */
  #unheard: Envelope | undefined;
  #errors = 0;
  #over = false;
  #doing = "connecting";

  constructor(conn: Conn, parts: SessionParts) {
    const { clock } = parts.runtime;
    this.#parts = parts;
    this.#log = new SessionLog(parts.logger, newSessionId());
    this.#clientConn = new LineConn(conn, clock, translateClientError);
    this.#client = new Client(this.#clientConn, clock, parts.options.clientTimeout);
  }

  /** Runs the conversation to its end. Never throws. */
  async run(): Promise<SessionEnd> {
    const { runtime: { clock }, options } = this.#parts;
    const cancelClock = clock.after(
      options.sessionTimeout,
      () => this.#end(new SmtpError(OWN_REPLIES.sessionTooLong, "session took too long")),
    );
    let end: SessionEnd = "ended";
    try {
      end = await this.#open();
      if (end === "ended") await this.#converse();
    } catch (error) {
      await this.#explain(error);
    } finally {
      cancelClock();
      await this.#downstream?.leave();
      this.#client.close();
    }
    return end;
  }

  /** Ends the session with a 421, except that a message whose final dot is out may still be answered. */
  shutDown(): void {
    this.#end(new SmtpError(OWN_REPLIES.shuttingDown, "shutting down"));
  }

  /** Waits for downstream no longer, after `shutDown`; what becomes of a message is then not known. */
  abandon(): void {
    this.#downstreamConn?.interrupt(new SmtpError(OWN_REPLIES.shuttingDown, "shutting down"));
  }

  /** Ends the session with a 421 after an error that nothing caught. */
  failOnBug(): void {
    this.#end(new SmtpError(OWN_REPLIES.bug, "bug"));
  }

  #end(reason: SmtpError): void {
    this.#stop.abort(reason);
    this.#clientConn.interrupt(reason);
    if (this.#phase !== "idle" && this.#doing === "DATA") return;
    this.#downstreamConn?.interrupt(reason);
  }

  async #open(): Promise<SessionEnd> {
    const { runtime: { network, clock }, options } = this.#parts;
    this.#log.connected(this.#client.peer, options.downstream);
    let conn: Conn;
    let greeting: Reply;
    try {
      conn = await this.#orStop(network.connect(options.downstream, options.connectTimeout));
      this.#downstreamConn = new LineConn(conn, clock);
      this.#downstream = new Downstream(this.#downstreamConn, clock, options);
      greeting = await this.#downstream.greeting();
      if (replyClass(greeting) === 3) throw new DownstreamLost("downstream greets with a 3xx reply");
    } catch (error) {
      if (!(error instanceof IoError || error instanceof DownstreamLost)) throw error;
      this.#log.downstreamUnreachable(options.downstream, error.message);
      await this.#client.say(OWN_REPLIES.downstreamUnreachable);
      await this.#client.flush();
      return "unreachable";
    }
    await this.#client.say(greeting);
    this.#over = greeting.code === 421;
    return "ended";
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
    try {
      return await Promise.race([connecting, stopped.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #converse(): Promise<void> {
    while (!this.#over) {
      this.#doing = "waiting for a command";
      const command = await this.#client.nextCommand();
      if (command === null) {
        this.#noteUnheard();
        this.#log.clientLost(this.#phase === "idle" ? "idle" : "in a transaction", "client ended the session");
        return;
      }
      // Who goes on has heard.
      this.#unheard = undefined;
      this.#doing = command.verb;
      const reply = await this.#answer(command);
      if (reply.code === 421 || command.verb === "QUIT") this.#over = true;
      await this.#client.say(reply);
      // The reply to a message is due: it does not wait until downstream has answered the commands behind it.
      if (command.verb === "DATA") await this.#client.flush();
    }
    await this.#client.flush();
  }

  // Who does not hear that a message is delivered will send it again. That our reply was written proves nothing: the client
  // may have left before it came.
  #noteUnheard(): void {
    if (this.#unheard) this.#log.possibleDuplicate("client may not have heard of the delivery", this.#unheard);
  }

  async #answer(command: Command | BadLine): Promise<Reply> {
    switch (command.verb) {
      case "SPOILT":
        return this.#refuse(OWN_REPLIES.lineSpoilt, "a line with a bare CR, LF or NUL");
      case "TOO-LONG":
        return this.#refuse(OWN_REPLIES.lineTooLong, "a line that is too long");
      case "STARTTLS":
      case "BURL":
      case "XCLIENT":
      case "XEXCH50":
        return this.#refuse(OWN_REPLIES.notImplemented, command.verb);
      case "BDAT":
        // The chunk that follows must never be read as commands.
        this.#over = true;
        return this.#refuse(OWN_REPLIES.notImplemented, command.verb);
      case "DATA":
        return this.#data(command);
      case "AUTH":
        return this.#auth(command);
      case "QUIT":
        return this.#quit(command);
      case "MAIL":
        if (this.#isTooLarge(command)) return OWN_REPLIES.messageTooLarge;
        return this.#relay(command);
      case "RCPT":
        if (this.#envelope.recipients.length >= RECIPIENT_LIMIT) return OWN_REPLIES.tooManyRecipients;
        return this.#relay(command);
      default:
        return this.#relay(command);
    }
  }

  async #relay(command: Command): Promise<Reply> {
    const reply = this.#refuseUnasked3xx(await this.#downstream.ask(command.raw), command);
    this.#log.dialogue(textOf(command.raw), reply);
    this.#learn(command, reply);
    return command.verb === "EHLO" ? filterEhlo(reply, this.#parts.options.maxMessageSize) : reply;
  }

  // Only DATA and AUTH lead to a 3xx: no spelling that only the far end knows may carry content past the filter.
  #refuseUnasked3xx(reply: Reply, command: Command): Reply {
    if (replyClass(reply) !== 3) return reply;
    this.#log.unasked3xx(reply, textOf(command.raw));
    this.#downstream.abandon("unasked 3xx reply");
    throw new SmtpError(OWN_REPLIES.unasked3xx, "unasked 3xx reply");
  }

  // What downstream accepted is what is known of the next message.
  #learn(command: Command, reply: Reply): void {
    const before = this.#phase;
    this.#phase = nextPhase(before, command.verb, replyClass(reply));
    if (replyClass(reply) !== 2) return;
    const { client } = this.#envelope;
    switch (command.verb) {
      case "HELO":
      case "EHLO":
      case "RSET":
        this.#envelope = emptyEnvelope();
        break;
      case "XFORWARD":
        this.#envelope = { ...this.#envelope, client: mergeXforward(client, command.argument) };
        break;
      case "MAIL":
        this.#envelope = { ...emptyEnvelope(client), sender: parsePath(command.argument, "FROM")?.address };
        break;
      case "RCPT":
        if (before === "idle") break;
        this.#envelope.recipients.push(parsePath(command.argument, "TO")?.address ?? "");
        break;
    }
  }

  async #data(command: Command): Promise<Reply> {
    if (command.argument.trim() !== "") return this.#refuse(OWN_REPLIES.dataArgument, "DATA with an argument");
    if (this.#phase === "idle") return this.#refuse(OWN_REPLIES.needMail, "DATA without MAIL");
    if (this.#phase === "mail") return this.#refuse(OWN_REPLIES.noRecipients, "DATA without a recipient");
    const { runtime: { files, clock, pid }, check, options } = this.#parts;
    const parts = {
      client: this.#client,
      downstream: this.#downstream,
      log: this.#log,
      files,
      clock,
      pid,
      check,
      options,
    };
    try {
      const { reply, delivered } = await takeMessage(parts, this.#envelope, this.#stop.signal);
      if (delivered) this.#unheard = this.#envelope;
      return reply;
    } finally {
      this.#phase = "idle";
      this.#envelope = emptyEnvelope();
    }
  }

  // The client's answers go downstream as they are, also those that look like commands (RFC 4954 s.4).
  async #auth(command: Command): Promise<Reply> {
    let reply = await this.#downstream.ask(command.raw);
    while (replyClass(reply) === 3) {
      await this.#client.say(reply);
      const line = await this.#client.nextAuthLine();
      if (!line) {
        const canceled = await this.#downstream.ask(CANCEL_AUTH);
        if (replyClass(canceled) === 3) this.#downstream.abandon("AUTH goes on after it was canceled");
        return this.#refuse(OWN_REPLIES.lineSpoilt, "a bad line in AUTH");
      }
      reply = await this.#downstream.ask(line);
    }
    // Nothing of what the client said: it is a password.
    this.#log.dialogue("AUTH ...", reply);
    return reply;
  }

  async #quit(command: Command): Promise<Reply> {
    try {
      return this.#refuseUnasked3xx(await this.#downstream.quit(command.raw), command);
    } catch (error) {
      if (error instanceof DownstreamLost) return OWN_REPLIES.bye;
      throw error;
    }
  }

  #isTooLarge(command: Command): boolean {
    const { maxMessageSize } = this.#parts.options;
    if (maxMessageSize === undefined) return false;
    return Number(parsePath(command.argument, "FROM")?.parameters.get("SIZE") ?? 0) > maxMessageSize;
  }

  #refuse(reply: Reply, what: string): Reply {
    this.#log.clientRefused(what, reply);
    if (++this.#errors > ERROR_LIMIT) throw new SmtpError(OWN_REPLIES.tooManyErrors, "too many errors");
    return reply;
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
    if (error instanceof SmtpError) this.#log.ended(error.message);
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
