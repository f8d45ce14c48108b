// What is known of the client and of its message: only what downstream accepted counts.
//
// Everything known of one message is forgotten at the end of its transaction, at RSET, EHLO, HELO and a new MAIL; what
// XFORWARD told stays until the end of the transaction that it stands before (XFORWARD_README). Whether downstream lets
// the client use XFORWARD at all is known for the session. A client that may not use it cannot say for whom it speaks.

import type { ContentCheck, Refusal, Ruling } from "../restrictions/restriction.ts";
import { emptyEnvelope, type Envelope } from "../mail/envelope.ts";
import type { Command } from "../smtp/command.ts";
import { offers } from "../smtp/ehlo.ts";
import { nextPhase, type Phase } from "../smtp/dialogue.ts";
import { readAddress } from "../smtp/path.ts";
import { type Reply, replyClass, replyText } from "../smtp/reply.ts";
import { type ClientFacts, mergeXforward } from "../smtp/xforward.ts";

/** Why a client is not known that has said no EHLO. This is its own decision, and no fault of downstream's. */
export const NO_EHLO = "no EHLO was said, to which downstream could offer XFORWARD";

export class Transaction {
  #phase: Phase = "idle";
  #envelope!: Envelope;
  #recipients: string[] = [];
  #asked: Set<ContentCheck> | undefined;
  #refusal: Refusal | undefined;
  #unforwarded: string | undefined = NO_EHLO;
  #wasRefused = false;

  constructor() {
    this.end();
  }

  get phase(): Phase {
    return this.#phase;
  }

  get envelope(): Envelope {
    return this.#envelope;
  }

  /** The first refusal of ours that the client has not heard yet. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** What the rules ask for, for at least one of the recipients; undefined where no rules file has spoken. */
  get asked(): ReadonlySet<ContentCheck> | undefined {
    return this.#asked;
  }

  /** The envelope as it is when downstream accepts the MAIL `command`. */
  afterMail(command: Command): Envelope {
    return { ...this.#emptyEnvelope(this.#envelope.client), sender: readAddress(command.argument, "FROM") };
  }

  /** Takes in downstream's reply to `command`, and how we ruled on that: a refusal is kept for the end of data. */
  learn(command: Command, reply: Reply, ruling?: Ruling): void {
    const before = this.#phase;
    this.#phase = nextPhase(before, command.verb, replyClass(reply));
    if (replyClass(reply) !== 2) {
      if (command.verb === "XFORWARD") this.#learnRefused(reply);
      return;
    }
    switch (command.verb) {
      case "EHLO":
        this.#learnOffer(reply);
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
        if (before === "idle") break;
        this.#recipients.push(recipientOf(command));
        this.#take(ruling);
        break;
    }
  }

  /** The message has been taken or refused. */
  end(): void {
    this.#phase = "idle";
    this.#begin(this.#emptyEnvelope());
  }

  #emptyEnvelope(client?: ClientFacts): Envelope {
    return { ...emptyEnvelope(client), unforwarded: this.#unforwarded };
  }

  #learnOffer(reply: Reply): void {
    if (this.#wasRefused) return;
    this.#unforwarded = offers(reply, "XFORWARD") ? undefined : "downstream offers no XFORWARD";
  }

  // This client speaks for somebody else, and may not say for whom. That holds for its later messages, too.
  #learnRefused(reply: Reply): void {
    this.#wasRefused = true;
    this.#unforwarded = `downstream refused XFORWARD: ${replyText(reply)}`;
    this.#envelope = { ...this.#envelope, unforwarded: this.#unforwarded };
  }

  #begin(envelope: Envelope): void {
    this.#recipients = [];
    this.#envelope = { ...envelope, recipients: this.#recipients };
    this.#refusal = undefined;
    this.#asked = undefined;
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
