// Who the client is, for restrictions: whom XFORWARD names, or the peer of our own connection where nobody was named.
//
// XFORWARD's name is taken as it is: downstream's neighbour has looked it up, and says whether DNS failed there. A name of
// which nobody spoke, as that of our own peer, is looked up when it is asked for: by its address, and from there back to
// that address, since everybody may name his address as he likes (RFC 1912 s.2.1).

import type { Caller } from "../restrictions/restriction.ts";
import { dnsName } from "../text/domain.ts";
import { type Ip, parseIp, reversedName, reverseZone } from "../text/ip.ts";
import type { Dns } from "../dns/lookups.ts";
import { IoError } from "../ports/io_error.ts";
import type { ClientFacts } from "../smtp/xforward.ts";

// An address may have any number of names.
const NAMES_LIMIT = 5;

interface Connection {
  readonly peer?: string | undefined;
}

/** The client that `facts` describe, or else the peer of `connection`. */
export function callerOf(facts: ClientFacts, connection: Connection, dns: Pick<Dns, "records">): Caller {
  const address = addressOf(facts, connection);
  if (facts.name !== undefined || facts.nameless) return { address, name: async () => hostName(facts) };
  const ip = parseIp(address ?? "");
  return { address, name: () => confirmedName(ip, dns) };
}

/** Its IP address; undefined when XFORWARD says that it is not known. */
export function addressOf(facts: ClientFacts, connection: Connection): string | undefined {
  return facts.told ? facts.address : connection.peer;
}

// A name that looks like an address is none, but the try to pass for that address.
function hostName({ name, nameless }: ClientFacts): string | undefined {
  if (nameless === "failed") {
    throw new IoError("unknown-host", "client's name: XFORWARD says that it could not be looked up");
  }
  return name !== undefined && parseIp(name) ? undefined : name;
}

async function confirmedName(ip: Ip | undefined, dns: Pick<Dns, "records">): Promise<string | undefined> {
  if (!ip) throw new IoError("unknown-host", "client's name: nobody told it, nor an address to look it up by");
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
