// The client, for restrictions and checks. It is the client that XFORWARD names, or else the peer of our own connection.
//
// If downstream does not let the peer use XFORWARD, the client is not known. The peer is probably Postfix then, and its
// address must not stand for a stranger. If a restriction or a check asks for a client that is not known, the log says why.
//
// A name from XFORWARD is used as it is: Postfix has looked it up, and says whether DNS failed. If XFORWARD gave no name,
// as for our own peer, the name is looked up when it is needed: first the names of the address, then the addresses of each
// name. A name counts if the address is among them, because everyone can give an address any name (RFC 1912 s.2.1).

import type { Envelope } from "../mail/envelope.ts";
import type { MailClient } from "../mail/message.ts";
import type { Caller } from "../restrictions/restriction.ts";
import { dnsName } from "../text/domain.ts";
import { type Ip, parseIp, reversedName, reverseZone } from "../text/ip.ts";
import type { Dns } from "../dns/lookups.ts";
import { IoError } from "../ports/io_error.ts";
import type { ClientFacts } from "../smtp/xforward.ts";
import { NO_EHLO } from "./transaction.ts";

// An address may have any number of names, so only the first ones count.
const NAMES_LIMIT = 5;

interface Connection {
  readonly peer?: string | undefined;
}

type Note = (why: string) => void;

// These are classes because V8 makes a hidden class of its own for each object literal that has a getter. Those live long.

/** The client of `envelope`, as checks see it. It may be the peer of `connection`. */
export class MessageClient implements MailClient {
  readonly #envelope: Envelope;
  readonly #connection: Connection;
  readonly #onUnknown: Note;

  constructor(envelope: Envelope, connection: Connection, onUnknown: Note) {
    this.#envelope = envelope;
    this.#connection = connection;
    this.#onUnknown = onUnknown;
  }

  /** The facts from XFORWARD. A filter gets no others. So nothing is missing if the client has said no EHLO. */
  get facts(): ClientFacts {
    const { client, unforwarded } = this.#envelope;
    if (!client.told && unforwarded !== undefined && unforwarded !== NO_EHLO) this.#onUnknown(unforwarded);
    return client;
  }

  /** The client's IP address; undefined if it is not known. */
  get address(): string | undefined {
    const { client, unforwarded } = this.#envelope;
    if (client.told) return client.address;
    if (unforwarded === undefined) return this.#connection.peer;
    this.#onUnknown(unforwarded);
    return undefined;
  }
}

/** The same client, as restrictions see it: they may ask for its name. */
export class EnvelopeCaller extends MessageClient implements Caller {
  readonly #told: ClientFacts;
  readonly #dns: Pick<Dns, "records">;

  constructor(
    envelope: Envelope,
    connection: Connection,
    { dns, onUnknown }: { readonly dns: Pick<Dns, "records">; readonly onUnknown: Note },
  ) {
    super(envelope, connection, onUnknown);
    this.#told = envelope.client;
    this.#dns = dns;
  }

  async name(): Promise<string | undefined> {
    if (this.#told.name !== undefined || this.#told.nameless) return hostName(this.#told);
    const ip = parseIp(this.address ?? "");
    return ip && await confirmedName(ip, this.#dns);
  }
}

// Throws `IoError` if XFORWARD says that DNS failed. A name that looks like an address is not a name: somebody wants to
// pass for that address.
function hostName({ name, nameless }: ClientFacts): string | undefined {
  if (nameless === "failed") {
    throw new IoError("unknown-host", "client's name: XFORWARD says that it could not be looked up");
  }
  return name !== undefined && parseIp(name) ? undefined : name;
}

async function confirmedName(ip: Ip, dns: Pick<Dns, "records">): Promise<string | undefined> {
  const names = await dns.records(`${reversedName(ip)}.${reverseZone(ip)}`, "PTR");
  let failure: unknown;
  for (const name of names.slice(0, NAMES_LIMIT)) {
    if (dnsName(name) === undefined || parseIp(name)) continue;
    try {
      const addresses = await dns.records(name, ip.length === 4 ? "A" : "AAAA");
      if (addresses.some((address) => isSame(parseIp(address), ip))) return name;
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure) throw failure;
  return undefined;
}

function isSame(one: Ip | undefined, other: Ip): boolean {
  return one !== undefined && one.join() === other.join();
}
