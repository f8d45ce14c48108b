// Whether a DNS list lists a name (RFC 5782 s.2.1), and what it says of it.
//
// A listing is an address in 127.0.0.0/8, and not in 127.255.255.0/24, where lists say that they do not answer us, and
// why. Any other address comes from a zone that has been given up, or from a resolver that lies. An answer with one
// that is no listing tells nothing at all.

import { IoError } from "../runtime/io_error.ts";
import { dnsName } from "./domain.ts";
import type { Dns } from "./lookups.ts";

export interface ListQuestion {
  /** A domain, or `reversedName` of an address. */
  readonly name: string;
  readonly zone: string;
}

/**
 * The addresses that list it: none where it is not listed. Throws `IoError` when the list could not, or would not,
 * tell.
 */
export async function listing({ name, zone }: ListQuestion, dns: Dns): Promise<readonly string[]> {
  const question = dnsName(`${name}.${zone}`);
  if (question === undefined) return [];
  const answers = await dns.records(question, "A", { list: zone });
  const odd = answers.find((answer) => !answer.startsWith("127.") || answer.startsWith("127.255.255."));
  if (odd !== undefined) throw new IoError("other", `A of ${question}: ${odd} is no listing`);
  return answers;
}

/** What the list says of what it lists; empty where it says nothing. Throws `IoError`. */
export async function listingText({ name, zone }: ListQuestion, dns: Dns): Promise<string> {
  const [text = ""] = await dns.records(`${name}.${zone}`, "TXT", { list: zone });
  return text;
}
