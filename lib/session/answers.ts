// The answer to each command. The command goes downstream as it came, and the reply comes back as it is. `#answer` has the
// exceptions, each with its reason.
//
// Replies are returned, not written, except for the 354 and the 334 in the middle of a command. Throws `SmtpError` to end
// the session with a reply, `ClientLost` if the client cannot hear one, and `DownstreamLost`. The caller watches the client.

import type { Refusal, Ruling } from "../restrictions/restriction.ts";
import type { Envelope } from "../mail/envelope.ts";
import { bytesOf } from "../text/octets.ts";
import type { Command } from "../smtp/command.ts";
import type { Dialogue } from "../smtp/dialogue.ts";
import { filterEhlo } from "../smtp/ehlo.ts";
import { parsePath } from "../smtp/path.ts";
import { type Reply, replyClass } from "../smtp/reply.ts";
import type { Admission } from "./admission.ts";
import type { BadLine } from "./client.ts";
import { type MessageOptions, type MessageParts, takeMessage } from "./message.ts";
import { OWN_REPLIES } from "./own_replies.ts";
import { DownstreamLost, SmtpError } from "./smtp_error.ts";
import { TarPit, type TarPitOptions } from "./tar_pit.ts";
import { recipientOf, Transaction } from "./transaction.ts";
import { heedDownstream, pause, type Waiting } from "./waiting.ts";

export interface AnswersOptions extends MessageOptions, TarPitOptions {
  /** The client hears refusals of a sender or a recipient at the end of data, and not before. */
  readonly deferRcptRefusals: boolean;
}

export interface AnswersParts extends MessageParts, Waiting {
  readonly dialogue: Dialogue;
  /** Absent if there is no restriction. */
  readonly admission: Admission | undefined;
  readonly options: AnswersOptions;
}

// More recipients than any server takes in one transaction. It bounds what we keep of them.
const RECIPIENT_LIMIT = 20000;

// Lines that are not commands, and commands that we refuse. A correct client sends hardly any.
const ERROR_LIMIT = 100;

const SHOWN_AUTH = bytesOf("AUTH ...");

const CANCEL_AUTH = bytesOf("*\r\n");

export class Answers {
  readonly #parts: AnswersParts;
  readonly #tarPit: TarPit;
  readonly #transaction: Transaction;
  #errors = 0;

  constructor(parts: AnswersParts) {
    this.#parts = parts;
    this.#tarPit = new TarPit(parts.options);
    this.#transaction = new Transaction(parts.dialogue);
  }

  /** The reply to `command`. In the tar pit it comes later. After a 421 the session has to end. */
  answer(command: Command | BadLine): Reply | Promise<Reply> {
    const delay = this.#tarPit.delayOf(command.verb, this.envelope.client.address);
    return delay > 0 ? this.#slowDown(delay).then(() => this.#answer(command)) : this.#answer(command);
  }

  /** The known facts about the client and its current message. */
  get envelope(): Envelope {
    return this.#transaction.envelope;
  }

  /** The message that downstream has, if the client has not shown that it heard of that. */
  get unheard(): Envelope | undefined {
    return this.#transaction.delivered;
  }

  async #slowDown(delay: number): Promise<void> {
    const { log } = this.#parts;
    if (this.#tarPit.waits === 1) log.tell("tarPit", { recipients: this.#tarPit.recipients });
    await pause(this.#parts, delay);
  }

  #answer(command: Command | BadLine): Reply | Promise<Reply> {
    switch (command.verb) {
      case "SPOILT":
        return this.#refuse(OWN_REPLIES.lineSpoilt, "a line with a bare CR, LF or NUL");
      case "TOO-LONG":
        return this.#refuse(OWN_REPLIES.lineTooLong, "a line that is too long");
      // LMTP's greeting (RFC 2033). After it a message gets one reply for each recipient, and we expect one for all.
      case "LHLO":
      case "STARTTLS":
      case "BURL":
      case "XCLIENT":
      case "XEXCH50":
        return this.#refuse(OWN_REPLIES.notImplemented, command.verb);
      case "BDAT":
        // Nothing may read the chunk that follows as commands.
        this.#parts.dialogue.move("last");
        return this.#refuse(OWN_REPLIES.notImplemented, command.verb);
      case "DATA":
        return this.#data(command);
      case "AUTH":
        return this.#auth(command);
      case "QUIT":
        return this.#quit(command);
      case "MAIL":
        return this.#mail(command);
      case "RCPT":
        return this.#rcpt(command);
      default:
        return this.#relay(command);
    }
  }

  #mail(command: Command): Reply | Promise<Reply> {
    const parameters = parsePath(command.argument, "FROM")?.parameters;
    // BINARYMIME (RFC 3030 s.3) and CHECKPOINT (RFC 1845 s.4): we do not offer them.
    if (parameters?.get("BODY")?.toUpperCase() === "BINARYMIME" || parameters?.has("TRANSID")) {
      return this.#refuse(OWN_REPLIES.parameterUnknown, "MAIL with BODY=BINARYMIME or TRANSID");
    }
    if (this.#isTooLarge(parameters)) return this.#bounded(OWN_REPLIES.messageTooLarge, "MAIL with a large SIZE");
    const { admission } = this.#parts;
    if (!admission) return this.#relay(command);
    return admission.sender(this.#transaction.afterMail(command)).then((ruling) => this.#admit(command, ruling));
  }

  #rcpt(command: Command): Reply | Promise<Reply> {
    const { envelope } = this.#transaction;
    if (envelope.recipients.length >= RECIPIENT_LIMIT) {
      return this.#bounded(OWN_REPLIES.tooManyRecipients, "RCPT beyond the limit");
    }
    const { admission, dialogue } = this.#parts;
    if (!admission || dialogue.phase === "idle") return this.#relay(command);
    return admission.recipient(recipientOf(command), envelope).then((ruling) => this.#admit(command, ruling));
  }

  #admit(command: Command, ruling: Ruling): Reply | Promise<Reply> {
    if (ruling.kind !== "refuse" || this.#parts.options.deferRcptRefusals) return this.#relay(command, ruling);
    return this.#say(ruling);
  }

  #say({ reply, ends }: Refusal): Reply {
    if (ends) this.#parts.dialogue.move("last");
    return reply;
  }

  async #relay(command: Command, ruling?: Ruling): Promise<Reply> {
    const { downstream, log } = this.#parts;
    const reply = this.#refuseUnasked3xx(await downstream.ask(command.raw), command.raw);
    log.tell("dialogue", { said: command.raw, reply });
    this.#transaction.learn(command, reply, ruling);
    return command.verb === "EHLO" ? filterEhlo(reply, this.#parts.options.maxMessageSize) : reply;
  }

  // Only DATA, and AUTH with 334, lead to a 3xx. So no command that only downstream knows can carry content past the
  // checks.
  #refuseUnasked3xx(reply: Reply, command: Uint8Array): Reply {
    if (replyClass(reply) !== 3) return reply;
    this.#parts.log.tell("unasked3xx", { command, reply });
    this.#parts.downstream.abandon("unasked 3xx reply");
    throw new SmtpError(OWN_REPLIES.unasked3xx, "unasked 3xx reply");
  }

  async #data(command: Command): Promise<Reply> {
    if (command.argument.trim() !== "") return this.#refuse(OWN_REPLIES.dataArgument, "DATA with an argument");
    const { dialogue, log, stop } = this.#parts;
    if (dialogue.phase === "idle") return this.#refuse(OWN_REPLIES.needMail, "DATA without MAIL");
    if (dialogue.phase === "mail") return this.#refuse(OWN_REPLIES.noRecipients, "DATA without a recipient");
    const { envelope, refusal, asked } = this.#transaction;
    dialogue.move("started");
    // If this throws, the session ends. The transaction has not ended then, so the log still names the message.
    const { reply, delivered } = await takeMessage(this.#parts, { envelope, refusal, asked }, stop);
    log.tell("dialogue", { said: command.raw, reply });
    this.#transaction.end(delivered ? "delivered" : "dropped");
    if (refusal?.ends) dialogue.move("last");
    return reply;
  }

  // The client's answers go downstream as they are, even if they look like commands (RFC 4954 s.4).
  async #auth(command: Command): Promise<Reply> {
    let reply = await this.#parts.downstream.ask(command.raw);
    while (reply.code === 334) {
      const line = await this.#authLine(reply);
      if ("verb" in line) {
        const canceled = await this.#parts.downstream.ask(CANCEL_AUTH);
        if (replyClass(canceled) === 3) this.#parts.downstream.abandon("downstream continues AUTH, which we cancelled");
        const isLong = line.verb === "TOO-LONG";
        return this.#refuse(isLong ? OWN_REPLIES.lineTooLong : OWN_REPLIES.lineSpoilt, "a bad line in AUTH");
      }
      reply = await this.#parts.downstream.ask(line);
    }
    this.#refuseUnasked3xx(reply, SHOWN_AUTH);
    // The log shows nothing that the client said: it is a password.
    this.#parts.log.tell("dialogue", { said: SHOWN_AUTH, reply });
    return reply;
  }

  async #authLine(challenge: Reply): Promise<Uint8Array | BadLine> {
    const { client, downstream } = this.#parts;
    try {
      await client.say(challenge);
      heedDownstream({ client, downstream });
      const line = await client.nextAuthLine();
      downstream.heed(undefined);
      client.watchSoon();
      return line;
    } catch (error) {
      // Downstream would take our QUIT for the client's answer. So this connection can only be closed.
      downstream.abandon("AUTH was not finished");
      throw error;
    }
  }

  async #quit(command: Command): Promise<Reply> {
    const { dialogue, downstream, log } = this.#parts;
    try {
      const reply = this.#refuseUnasked3xx(await downstream.quit(command.raw), command.raw);
      log.tell("dialogue", { said: command.raw, reply });
      // A server may refuse a QUIT, for example one with an argument.
      if (replyClass(reply) === 2) dialogue.move("QUIT");
      return reply;
    } catch (error) {
      if (!(error instanceof DownstreamLost)) throw error;
      dialogue.move("QUIT");
      return OWN_REPLIES.bye;
    }
  }

  #isTooLarge(parameters: ReadonlyMap<string, string> | undefined): boolean {
    const { maxMessageSize } = this.#parts.options;
    return maxMessageSize !== undefined && Number(parameters?.get("SIZE") ?? 0) > maxMessageSize;
  }

  // This is not an error of the client.
  #bounded(reply: Reply, what: string): Reply {
    this.#parts.log.tell("clientRefused", { what, reply });
    return reply;
  }

  #refuse(reply: Reply, what: string): Reply {
    this.#parts.log.tell("clientRefused", { what, reply });
    if (++this.#errors > ERROR_LIMIT) throw new SmtpError(OWN_REPLIES.tooManyErrors, "too many errors");
    return reply;
  }
}
