// DNS lists: of clients by address (--dnsbl; RFC 5782), and of senders by domain (--rhsbl). Asked at RCPT. A client in a
// list of --dnswl is not subject to those of --dnsbl.
//
// What a list could not tell passes with a notice. All lists are asked at once; the first in the order of the command line
// gives the reply, with its text where it has one. The zone of a list may hold a key: a stranger hears its name instead.

import { dnsName } from "../text/domain.ts";
import { parseIp } from "../text/ip.ts";
import { type ListNames, withListNames } from "../dns/list_names.ts";
import type { DnsList } from "../dns/list.ts";
import { isListed, type Listable, listingText } from "../dns/listing.ts";
import type { Dns } from "../dns/lookups.ts";
import { IoError } from "../ports/io_error.ts";
import { replyFromText } from "../smtp/reply.ts";
import type { Caller, Restriction, RestrictionContext, Ruling } from "./restriction.ts";

export interface DnsListOptions {
  /** Of clients. */
  readonly dnsbl: readonly DnsList[];
  /** Of clients that are welcome. */
  readonly dnswl: readonly DnsList[];
  /** Of senders' domains. */
  readonly rhsbl: readonly DnsList[];
  readonly listNames: ListNames;
}

/** What a list is asked, and what that is for the reply. */
interface Question {
  readonly list: DnsList;
  readonly what: Listable;
  readonly text: string;
}

export function dnsListRestriction({ dnsbl, dnswl, rhsbl, listNames }: DnsListOptions): Restriction {
  return {
    name: "DNS list",
    recipient: async (_recipient, { sender, recipients }, { client, dns, notice }) => {
      // Nothing changes from recipient to recipient, so one notice is enough.
      const doubt = recipients.length === 0 ? notice : () => {};
      const listedIn = async (questions: readonly Question[]) => {
        const listed = await Promise.all(questions.map((question) => isSoListed(question, dns, doubt)));
        return questions.filter((_question, at) => listed[at]);
      };
      const [ofClient, welcome, ofSender] = await Promise.all([
        listedIn(clientQuestions(dnsbl, client)),
        listedIn(clientQuestions(dnsbl.length > 0 ? dnswl : [], client)),
        listedIn(senderQuestions(rhsbl, sender)),
      ]);
      const [first] = welcome.length > 0 ? ofSender : [...ofClient, ...ofSender];
      return first ? await refusal(first, listNames, dns) : { kind: "allow" };
    },
  };
}

// Of a client that is not known no list is asked.
function clientQuestions(lists: readonly DnsList[], client: Caller): Question[] {
  if (lists.length === 0) return [];
  const { address } = client;
  const what = parseIp(address ?? "");
  return what ? lists.map((list) => ({ list, what, text: `Client host [${address}]` })) : [];
}

// The null sender has no domain, and an address literal is none.
function senderQuestions(lists: readonly DnsList[], sender = ""): Question[] {
  const what = dnsName(sender.slice(sender.lastIndexOf("@") + 1));
  if (what === undefined || !sender.includes("@")) return [];
  return lists.map((list) => ({ list, what, text: `Sender address [${sender}]` }));
}

async function isSoListed({ list, what }: Question, dns: Dns, doubt: RestrictionContext["notice"]): Promise<boolean> {
  try {
    return await isListed(list, what, dns) ?? false;
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    doubt(`${list.zone} is of no use: ${error.message}`);
    return false;
  }
}

async function refusal({ list: { zone }, what, text }: Question, names: ListNames, dns: Dns): Promise<Ruling> {
  const blocked = (by: string) => `${text} blocked using ${by}`;
  const reason = withListNames(await listingText(zone, what, dns), names);
  const said = blocked(names.get(zone) ?? zone);
  return {
    kind: "refuse",
    why: blocked(zone),
    reply: replyFromText(`554 5.7.1 Service unavailable; ${said}${reason === "" ? "" : `; ${reason}`}`),
  };
}
