// Finds out whether a DNS list lists an address or a domain (RFC 5782), and the list's text about it.
//
// No list has addresses of loopback, link-local and private networks. We do not ask about them, because nobody else
// needs to know them. If a list gives several answers, it is enough that one counts. If none counts and one is no
// listing at all, the list tells us nothing: it refuses to answer us, was given up, or the resolver lies. The log says
// so once.

import { IoError } from "../ports/io_error.ts";
import { weigh } from "./answers.ts";
import { dnsName } from "../text/domain.ts";
import { type Ip, isPrivate, reversedName } from "../text/ip.ts";
import type { DnsList } from "./list.ts";
import type { Dns } from "./lookups.ts";

/** A list may have an IP address or a domain. */
export type Listable = Ip | string;

/**
 * Whether `list` has `what`; undefined if the list is of no use, which the log then says. Throws `IoError` if the
 * lookup fails.
 */
export async function isListed(list: DnsList, what: Listable, dns: Dns): Promise<boolean | undefined> {
  if (dns.lists.listsAll(typeof what === "string" ? "domain" : "address", list.zone)) return undefined;
  const question = nameIn(list.zone, what);
  if (question === undefined) return false;
  const weights = await askList(list, question, dns);
  return weights.includes("counts") ? true : weights.includes("no listing") ? undefined : false;
}

/** Whether `list` has any entry at `name`; undefined if the list did not tell. */
export async function hasEntry(list: DnsList, name: string, dns: Dns): Promise<boolean | undefined> {
  try {
    const weights = await askList(list, `${name}.${list.zone}`, dns);
    return weights.some((weight) => weight !== "no listing") ? true : weights.length > 0 ? undefined : false;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return undefined;
  }
}

/** The text of the list in `zone` about `what`; empty if there is none or the lookup fails. */
export async function listingText(zone: string, what: Listable, dns: Dns): Promise<string> {
  const question = nameIn(zone, what);
  return question === undefined ? "" : await textOf(question, zone, dns);
}

async function askList(
  { zone, addresses }: DnsList,
  question: string,
  dns: Dns,
): Promise<readonly ReturnType<typeof weigh>[]> {
  const answers = await dns.records(question, "A", { list: zone });
  const weights = answers.map((answer) => weigh(answer, addresses));
  const answer = answers[weights.indexOf("no listing")];
  if (answer !== undefined && dns.lists.isNews(zone, answer)) {
    dns.lists.tellNoListing({ zone, question, answer, text: await textOf(question, zone, dns) });
  }
  return weights;
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

/** The name of `what` in `zone`; undefined if it cannot be there. */
function nameIn(zone: string, what: Listable): string | undefined {
  if (typeof what !== "string") return isPrivate(what) ? undefined : `${reversedName(what)}.${zone}`;
  return dnsName(`${what}.${zone}`);
}
