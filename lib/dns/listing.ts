// Whether a DNS list lists an address or a domain (RFC 5782), and what it says of that.
//
// Addresses of loopback, link-local and private networks are in no list, and no list is asked about them: it is nobody's
// business who they are. Of several answers those that count are enough. Where none does and one is no listing at all,
// the list tells nothing: it refuses to answer us, has been given up, or the resolver lies. The log hears of that once.

import { IoError } from "../runtime/io_error.ts";
import { type Addresses, weigh } from "./answers.ts";
import { dnsName } from "./domain.ts";
import { type Ip, isPrivate, reversedName } from "./ip.ts";
import type { Dns } from "./lookups.ts";

export interface DnsList {
  readonly zone: string;
  /** The answers that count; undefined for all. */
  readonly addresses: Addresses | undefined;
}

/** A list as it is used: it has IP addresses, or domains. */
export interface ListUse extends DnsList {
  readonly kind: "address" | "domain";
}

/** What a list may have: an IP address, or a domain. */
export type Listable = Ip | string;

/** The zone of a list; undefined for what can be none. A name in DNS does not end with a number: that is an address. */
export function parseZone(text: string): string | undefined {
  const zone = dnsName(text);
  return zone !== undefined && /[a-z][^.]*$/.test(zone) ? zone : undefined;
}

/**
 * Whether `list` has `what`; undefined where the list is of no use, of which the log knows. Throws `IoError` when it could
 * not be found out.
 */
export async function isListed({ zone, addresses }: DnsList, what: Listable, dns: Dns): Promise<boolean | undefined> {
  const question = nameIn(zone, what);
  if (question === undefined) return false;
  const answers = await dns.records(question, "A", { list: zone });
  const weights = answers.map((answer) => weigh(answer, addresses));
  const answer = answers[weights.indexOf("no listing")];
  if (answer !== undefined && dns.lists.isNews(zone, answer)) {
    dns.lists.tellNoListing({ zone, question, answer, text: await textOf(question, zone, dns) });
  }
  if (weights.includes("counts")) return true;
  return answer === undefined ? false : undefined;
}

/** What the list in `zone` says of what it lists; empty where it says nothing, or could not be asked. */
export async function listingText(zone: string, what: Listable, dns: Dns): Promise<string> {
  const question = nameIn(zone, what);
  return question === undefined ? "" : await textOf(question, zone, dns);
}

async function textOf(question: string, zone: string, dns: Dns): Promise<string> {
  try {
    const [text = ""] = await dns.records(question, "TXT", { list: zone });
    return text;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return "";
  }
}

/** The name under which `zone` has `what`; undefined where it cannot have it. */
function nameIn(zone: string, what: Listable): string | undefined {
  if (typeof what !== "string") return isPrivate(what) ? undefined : `${reversedName(what)}.${zone}`;
  return dnsName(`${what}.${zone}`);
}
