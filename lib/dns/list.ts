// DNS lists as options and rules name them; pure.

import { UsageError } from "../ports/start_error.ts";
import { dnsName } from "../text/domain.ts";
import { quote } from "../text/quoting.ts";
import { type Addresses, ADDRESSES_HINT, formatAddresses, parseAddresses } from "./answers.ts";

export interface DnsList {
  readonly zone: string;
  /** The answers that count; undefined for all. */
  readonly addresses: Addresses | undefined;
}

/** A list as it is used: it has IP addresses, or domains. */
export interface ListUse extends DnsList {
  readonly kind: "address" | "domain";
}

/** The zone of a list; undefined for what can be none. A name in DNS does not end with a number: that is an address. */
export function parseZone(text: string): string | undefined {
  const zone = dnsName(text);
  return zone !== undefined && /[a-z][^.]*$/.test(zone) ? zone : undefined;
}

/**
 * `ZONE`, or `ZONE=ADDRESSES` with the answers that count, as `parseAddresses` reads them. Throws a `UsageError` for what is
 * written otherwise.
 */
export function parseDnsList(text: string): DnsList {
  const [name = "", ...rest] = text.split("=");
  const zone = parseZone(name);
  if (zone === undefined) {
    throw new UsageError(`${quote(text)} is no DNS list: give ZONE[=ADDRESSES], such as bl.example.org=127.0.0.2-11`);
  }
  if (rest.length === 0) return { zone, addresses: undefined };
  const addresses = parseAddresses(rest.join("="));
  if (!addresses) throw new UsageError(`${quote(text)} has no addresses behind "=": ${ADDRESSES_HINT}`);
  return { zone, addresses };
}

export function formatDnsList({ zone, addresses }: DnsList): string {
  return addresses ? `${zone}=${formatAddresses(addresses)}` : zone;
}
