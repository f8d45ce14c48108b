// DNS lists as options and rules name them. Pure.

import { UsageError } from "../ports/start_error.ts";
import { dnsName } from "../text/domain.ts";
import { quote } from "../text/quoting.ts";
import { type Addresses, ADDRESSES_HINT, formatAddresses, parseAddresses } from "./answers.ts";

export interface DnsList {
  readonly zone: string;
  /** The answers that count; undefined if all count. */
  readonly addresses: Addresses | undefined;
}

/** A list in use, and whether it lists IP addresses or domains. */
export interface ListUse extends DnsList {
  readonly kind: "address" | "domain";
}

/**
 * The zone of a list; undefined if it can be none. No DNS name ends with a number, because that would be an address.
 */
export function parseZone(text: string): string | undefined {
  const zone = dnsName(text);
  return zone !== undefined && /[a-z][^.]*$/.test(zone) ? zone : undefined;
}

/**
 * Reads `ZONE`, or `ZONE=ADDRESSES` with the answers that count, as `parseAddresses` reads them. Throws a `UsageError`
 * for any other text.
 */
export function parseDnsList(text: string): DnsList {
  const [name = "", ...rest] = text.split("=");
  const zone = parseZone(name);
  if (zone === undefined) {
    throw new UsageError(`${quote(text)} is no DNS list: give ZONE[=ADDRESSES], such as bl.example.org=127.0.0.2-11`);
  }
  if (rest.length === 0) return { zone, addresses: undefined };
  const addresses = parseAddresses(rest.join("="));
  if (!addresses) throw new UsageError(`${quote(text)} has no addresses after "=": ${ADDRESSES_HINT}`);
  return { zone, addresses };
}

export function formatDnsList({ zone, addresses }: DnsList): string {
  return addresses ? `${zone}=${formatAddresses(addresses)}` : zone;
}
