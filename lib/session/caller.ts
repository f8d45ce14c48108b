// Who the client is, for restrictions and checks: the one that XFORWARD names, or the peer of our own connection where
// nobody was named. Where downstream does not let the client use XFORWARD, the client is not known. The peer is Postfix then,
// and strangers must not borrow its address. The log is told why when somebody looks at a client that is so not known.
//
// XFORWARD's name is taken as it is: downstream's neighbour has looked it up, and says whether DNS failed there. A name of
// which nobody spoke, as that of our own peer, is looked up when it is asked for: by its address, and from there back to
// that address, since everybody may name his address as he likes (RFC 1912 s.2.1).

import type { Envelope } from "../mail/envelope.ts";
import type { Caller } from "../restrictions/restriction.ts";
import { dnsName } from "../text/domain.ts";
import { type Ip, parseIp, reversedName, reverseZone } from "../text/ip.ts";
import type { Dns } from "../dns/lookups.ts";
import { IoError } from "../ports/io_error.ts";
import type { ClientFacts } from "../smtp/xforward.ts";
import { NO_EHLO } from "./transaction.ts";

// An address may have any number of names.
const NAMES_LIMIT = 5;

interface Connection {
  readonly peer?: string | undefined;
}

type Note = (why: string) => void;

/** The client of `envelope`, which may be the peer of `connection`. */
export function callerOf(
  envelope: Envelope,
  connection: Connection,
  { dns, onUnknown }: { readonly dns: Pick<Dns, "records">; readonly onUnknown: Note },
): Caller {
  const address = () => addressOf(envelope, connection, onUnknown);
  return {
    get address() {
      return address();
    },
    async name() {
      const { client } = envelope;
      if (client.name !== undefined || client.nameless) return hostName(client);
      const ip = parseIp(address() ?? "");
      return ip && await confirmedName(ip, dns);
    },
  };
}

/** Its IP address; undefined when it is not known. */
export function addressOf(
  { client, unforwarded }: Envelope,
  connection: Connection,
  onUnknown: Note,
): string | undefined {
  if (client.told) return client.address;
  if (unforwarded === undefined) return connection.peer;
  onUnknown(unforwarded);
  return undefined;
}

/** What XFORWARD has told of it. A filter hears nothing else, so nothing is missing where the client has said no EHLO. */
export function factsOf({ client, unforwarded }: Envelope, onUnknown: Note): ClientFacts {
  if (!client.told && unforwarded !== undefined && unforwarded !== NO_EHLO) onUnknown(unforwarded);
  return client;
}

// A name that looks like an address is none, but the try to pass for that address.
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
