// The client of a message. It is the client that XFORWARD names, or else the peer of our own connection.
//
// If downstream does not let the peer use XFORWARD, the client is not known. The peer is probably Postfix then, and its
// address must not stand for a stranger. If a restriction or a check asks for a client that is not known, the log says why.

import type { Envelope } from "../mail/envelope.ts";
import type { MailClient } from "../mail/message.ts";
import type { ClientFacts } from "../smtp/xforward.ts";
import { NO_EHLO } from "./transaction.ts";

export interface Connection {
  readonly peer?: string | undefined;
}

/** Is told why the client is not known. */
export type Note = (why: string) => void;

/**
 * The client of `envelope`. It may be the peer of `connection`. It is a class because V8 makes a hidden class for each
 * object literal that has a getter, and those live long.
 */
export class MessageClient implements MailClient {
  protected readonly envelope: Envelope;
  readonly #connection: Connection;
  readonly #onUnknown: Note;

  constructor(envelope: Envelope, connection: Connection, onUnknown: Note) {
    this.envelope = envelope;
    this.#connection = connection;
    this.#onUnknown = onUnknown;
  }

  /** The facts from XFORWARD. A filter gets no others. So nothing is missing if the client has said no EHLO. */
  get facts(): ClientFacts {
    const { client, unforwarded } = this.envelope;
    if (!client.told && unforwarded !== undefined && unforwarded !== NO_EHLO) this.#onUnknown(unforwarded);
    return client;
  }

  /** The client's IP address; undefined if it is not known. */
  get address(): string | undefined {
    const { client, unforwarded } = this.envelope;
    if (client.told) return client.address;
    if (unforwarded === undefined) return this.#connection.peer;
    this.#onUnknown(unforwarded);
    return undefined;
  }
}
