// DNS lists as options and rules name them; pure.

import type { Addresses } from "./answers.ts";
import { dnsName } from "../text/domain.ts";

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
