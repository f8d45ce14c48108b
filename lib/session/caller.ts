// The client, for restrictions: they may ask for its name.
//
// A name from XFORWARD is used as it is: Postfix has looked it up, and says whether DNS failed. If XFORWARD gave no name,
// as for our own peer, the name is looked up when it is needed: first the names of the address, then the addresses of each
// name. A name counts if the address is among them, because everyone can give an address any name (RFC 1912 s.2.1).

import type { Envelope } from "../mail/envelope.ts";
import type { Caller } from "../restrictions/restriction.ts";
import { dnsName } from "../text/domain.ts";
import { type Ip, parseIp, reversedName, reverseZone } from "../text/ip.ts";
import type { Dns } from "../dns/lookups.ts";
import { IoError } from "../ports/io_error.ts";
import type { ClientFacts } from "../smtp/xforward.ts";
import { type Connection, MessageClient, type Note } from "./message_client.ts";

// An address may have any number of names, so only the first ones count.
const NAMES_LIMIT = 5;

/** The client of an envelope, and its name in DNS. */
export class EnvelopeCaller extends MessageClient implements Caller {
  readonly #dns: Pick<Dns, "records">;

  constructor(
    envelope: Envelope,
    connection: Connection,
    { dns, onUnknown }: { readonly dns: Pick<Dns, "records">; readonly onUnknown: Note },
  ) {
    super(envelope, connection, onUnknown);
    this.#dns = dns;
  }

  async name(): Promise<string | undefined> {
    const { client } = this.envelope;
    if (client.name !== undefined || client.nameless) return hostName(client);
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
