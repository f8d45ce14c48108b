// DNS lists of clients by address (--dnsbl, RFC 5782) and of senders by domain (--rhsbl). They are asked at RCPT. If a
// list of --dnswl has the client, the lists of --dnsbl do not count.
//
// If a lookup fails, the mail passes with a notice. All lists are asked at once. The first match in the order of the
// command line gives the reply, with the list's text if it has one. The zone of a list may hold a key. Then a stranger
// sees the list's name instead.

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
  /** Lists of clients. */
  readonly dnsbl: readonly DnsList[];
  /** Lists of clients that are welcome. */
  readonly dnswl: readonly DnsList[];
  /** Lists of senders' domains. */
  readonly rhsbl: readonly DnsList[];
  readonly listNames: ListNames;
}

/** A list, the subject of the question, and its text in the reply. */
interface Question {
  readonly list: DnsList;
  readonly what: Listable;
  readonly text: string;
}

export function dnsListRestriction({ dnsbl, dnswl, rhsbl, listNames }: DnsListOptions): Restriction {
  return {
    name: "DNS list",
    recipient: async (_recipient, { sender, recipients }, { client, dns, notice }) => {
      // The answers are the same for each recipient, so one notice is enough.
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

// If the client is not known, no list is asked about it.
function clientQuestions(lists: readonly DnsList[], client: Caller): Question[] {
  if (lists.length === 0) return [];
  const { address } = client;
  const what = parseIp(address ?? "");
  return what ? lists.map((list) => ({ list, what, text: `Client host [${address}]` })) : [];
}

// The null sender has no domain. An address literal is not a domain.
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
