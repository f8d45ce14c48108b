// The known facts about the client and its current message. Only commands that downstream accepted count.
//
// The facts about a message are forgotten at the end of its transaction, and at RSET, EHLO, HELO and a new MAIL. The facts
// from XFORWARD stay until the end of the next transaction (XFORWARD_README). Whether downstream lets the client use
// XFORWARD is known for the whole session. A client that may not use it cannot name its own client.

import type { ContentCheck, Refusal, Ruling } from "../restrictions/restriction.ts";
import { emptyEnvelope, type Envelope } from "../mail/envelope.ts";
import type { Command } from "../smtp/command.ts";
import { offers } from "../smtp/ehlo.ts";
import type { Dialogue } from "../smtp/dialogue.ts";
import { readAddress } from "../smtp/path.ts";
import { type Reply, replyClass, replyText } from "../smtp/reply.ts";
import { type ClientFacts, mergeXforward } from "../smtp/xforward.ts";

/** Why a client without an EHLO is not known. This is not a fault of downstream. */
export const NO_EHLO = "the client said no EHLO, so downstream could not offer XFORWARD";

export class Transaction {
  readonly #dialogue: Dialogue;
  #envelope!: Envelope;
  #recipients: string[] = [];
  #asked: Set<ContentCheck> | undefined;
  #refusal: Refusal | undefined;
  #delivered: Envelope | undefined;
  /** Why downstream's last reply to EHLO lets the client use no XFORWARD. */
  #notOffered: string | undefined = NO_EHLO;
  /** How downstream refused an XFORWARD of this session. */
  #notAllowed: string | undefined;

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue;
    this.#begin(this.#emptyEnvelope());
  }

  get envelope(): Envelope {
    return this.#envelope;
  }

  /** The first refusal of ours that the client has not heard yet. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** The checks that the rules ask for, for at least one of the recipients; undefined if there is no rules file. */
  get asked(): ReadonlySet<ContentCheck> | undefined {
    return this.#asked;
  }

  /** The message that downstream has, in the phase `delivered`. */
  get delivered(): Envelope | undefined {
    return this.#dialogue.phase === "delivered" ? this.#delivered : undefined;
  }

  /** The envelope as it is when downstream accepts the MAIL `command`. */
  afterMail(command: Command): Envelope {
    return { ...this.#emptyEnvelope(this.#envelope.client), sender: readAddress(command.argument, "FROM") };
  }

  /** Learns from downstream's reply to `command`, and from our ruling on it. A refusal is kept for the end of data. */
  learn(command: Command, reply: Reply, ruling?: Ruling): void {
    if (replyClass(reply) !== 2) {
      if (command.verb === "XFORWARD") this.#learnRefused(reply);
      return;
    }
    this.#dialogue.move(command.verb);
    switch (command.verb) {
      case "EHLO":
        this.#notOffered = offers(reply, "XFORWARD") ? undefined : "downstream offers no XFORWARD";
        this.#begin(this.#emptyEnvelope());
        break;
      case "HELO":
      case "RSET":
        this.#begin(this.#emptyEnvelope());
        break;
      case "XFORWARD":
        this.#envelope = { ...this.#envelope, client: mergeXforward(this.#envelope.client, command.argument) };
        break;
      case "MAIL":
        this.#begin(this.afterMail(command));
        this.#take(ruling);
        break;
      case "RCPT":
        if (this.#dialogue.phase !== "rcpt") break;
        this.#recipients.push(recipientOf(command));
        this.#take(ruling);
        break;
    }
  }

  /** The message is done. */
  end(event: "delivered" | "dropped"): void {
    const ended = this.#envelope;
    this.#dialogue.move(event);
    this.#begin(this.#emptyEnvelope());
    this.#delivered = ended;
  }

  #emptyEnvelope(client?: ClientFacts): Envelope {
    return { ...emptyEnvelope(client), unforwarded: this.#unforwarded };
  }

  get #unforwarded(): string | undefined {
    return this.#notAllowed ?? this.#notOffered;
  }

  // This client speaks for another client, and may not name it. The same holds for its later messages.
  #learnRefused(reply: Reply): void {
    this.#notAllowed = `downstream refused XFORWARD: ${replyText(reply)}`;
    this.#envelope = { ...this.#envelope, unforwarded: this.#unforwarded };
  }

  #begin(envelope: Envelope): void {
    this.#recipients = [];
    this.#envelope = { ...envelope, recipients: this.#recipients };
    this.#refusal = undefined;
    this.#asked = undefined;
    this.#delivered = undefined;
  }

  #take(ruling: Ruling | undefined): void {
    if (ruling?.kind === "refuse") this.#refusal ??= ruling;
    else if (ruling?.contentChecks) this.#asked = new Set([...this.#asked ?? [], ...ruling.contentChecks]);
  }
}

/** The forward-path of a RCPT; the empty string is not known. */
export function recipientOf(command: Command): string {
  return readAddress(command.argument, "TO") ?? "";
}
