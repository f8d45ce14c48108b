// DNS lists: of clients by address (--dnsbl; RFC 5782), and of senders by domain (--rhsbl). Asked at RCPT.
//
// A listing counts when it is among the addresses that the option names, if it does. What a list could not tell, or
// answered with what is no listing, passes with a notice. All lists are asked at once; the first in the order of the
// command line gives the reply, with its text where it has one.

import { dnsName } from "../dns/domain.ts";
import { parseIp, reversedName } from "../dns/ip.ts";
import { listing, listingText, type ListQuestion } from "../dns/listing.ts";
import type { Dns } from "../dns/lookups.ts";
import { IoError } from "../runtime/io_error.ts";
import { replyFromText } from "../smtp/reply.ts";
import type { Restriction, RestrictionContext, Ruling } from "./restriction.ts";

export interface DnsList {
  readonly zone: string;
  /** The addresses that count, as ranges for each of their four octets; undefined for all. */
  readonly answers: AddressRanges | undefined;
}

export type AddressRanges = readonly (readonly (readonly [first: number, last: number])[])[];

export interface DnsListOptions {
  /** Of clients. */
  readonly dnsbl: readonly DnsList[];
  /** Of senders' domains. */
  readonly rhsbl: readonly DnsList[];
}

/** What a list is asked, which answers count, and its name for the reply. */
interface Subject extends ListQuestion, DnsList {
  readonly text: string;
}

export function dnsListRestriction({ dnsbl, rhsbl }: DnsListOptions): Restriction {
  return {
    name: "DNS list",
    recipient: async (_recipient, { sender, recipients }, { client, dns, notice }) => {
      const subjects = [...clientSubjects(dnsbl, client.address), ...senderSubjects(rhsbl, sender)];
      // Nothing changes from recipient to recipient, so one notice is enough.
      const doubt = recipients.length === 0 ? notice : () => {};
      const listed = await Promise.all(subjects.map((subject) => isListed(subject, dns, doubt)));
      const first = subjects.find((_subject, at) => listed[at]);
      return first ? await refusal(first, dns) : { kind: "allow" };
    },
  };
}

function clientSubjects(lists: readonly DnsList[], address: string | undefined): Subject[] {
  const ip = parseIp(address ?? "");
  if (!ip) return [];
  const name = reversedName(ip);
  return lists.map((list) => ({ ...list, name, text: `Client host [${address}]` }));
}

// The null sender has no domain, and an address literal is none.
function senderSubjects(lists: readonly DnsList[], sender = ""): Subject[] {
  const name = dnsName(sender.slice(sender.lastIndexOf("@") + 1));
  if (name === undefined || !sender.includes("@")) return [];
  return lists.map((list) => ({ ...list, name, text: `Sender address [${sender}]` }));
}

async function isListed(subject: Subject, dns: Dns, doubt: RestrictionContext["notice"]): Promise<boolean> {
  try {
    return (await listing(subject, dns)).some((answer) => isWanted(answer, subject.answers));
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    doubt(`${subject.zone} is of no use: ${error.message}`);
    return false;
  }
}

function isWanted(answer: string, ranges: AddressRanges | undefined): boolean {
  const octets = answer.split(".").map(Number);
  return ranges?.every((some, at) => some.some(([first, last]) => first <= octets[at]! && octets[at]! <= last)) ?? true;
}

async function refusal(subject: Subject, dns: Dns): Promise<Ruling> {
  const blocked = `${subject.text} blocked using ${subject.zone}`;
  const reason = await reasonOf(subject, dns);
  return {
    kind: "refuse",
    why: blocked,
    reply: replyFromText(`554 5.7.1 Service unavailable; ${blocked}${reason === "" ? "" : `; ${reason}`}`),
  };
}

// Without it the refusal stands.
async function reasonOf(subject: Subject, dns: Dns): Promise<string> {
  try {
    return await listingText(subject, dns);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return "";
  }
}
