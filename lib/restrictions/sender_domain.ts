// --check-sender-domain: the sender must be a valid address, and its domain must accept bounces. Asked at MAIL.
//
// The domain needs a mail exchanger or an address (RFC 5321 s.5.1). The null sender and address literals pass. If DNS
// fails, the sender passes with a notice. A domain that takes no mail (RFC 7505) has no senders either.

import { dnsName } from "../text/domain.ts";
import type { Dns } from "../dns/lookups.ts";
import { IoError } from "../ports/io_error.ts";
import { isAddressLiteral, parseMailbox } from "../smtp/mailbox.ts";
import { replyFromText } from "../smtp/reply.ts";
import { nameOf, NO_NAME } from "./client_name.ts";
import type { Caller, Restriction, Ruling } from "./restriction.ts";

export function senderDomainRestriction(): Restriction {
  return {
    name: "sender domain",
    sender: async ({ sender }, { client, dns, notice }) => {
      if (!sender) return ALLOW;
      const domain = parseMailbox(sender)?.domain;
      if (domain !== undefined && isAddressLiteral(domain)) return ALLOW;
      const name = dnsName(domain ?? "");
      if (name === undefined) return refusal(`553 5.1.7 <${sender}>: Sender address rejected: not a valid address`);
      try {
        const wrong = await whatIsWrongWith(name, dns);
        if (wrong === undefined) return ALLOW;
        notice(`Rejected from address with unresolvable domain: <${sender}> from ${await clientText(client)}`);
        return refusal(`550 ${wrong.status} <${sender}>: Sender address rejected: ${wrong.text}`);
      } catch (error) {
        if (!(error instanceof IoError)) throw error;
        notice(`cannot check the domain of <${sender}>: ${error.message}`);
        return ALLOW;
      }
    },
  };
}

const ALLOW: Ruling = { kind: "allow" };

async function whatIsWrongWith(name: string, dns: Dns): Promise<{ status: string; text: string } | undefined> {
  const exchangers = await dns.records(name, "MX");
  if (exchangers.length > 0) {
    // RFC 7505 s.4.2 names the status. An empty name beside other names has no meaning.
    const isNull = exchangers.every((exchanger) => exchanger === "");
    return isNull ? { status: "5.7.27", text: "domain takes no mail (null MX)" } : undefined;
  }
  for (const type of ["A", "AAAA"] as const) {
    if ((await dns.records(name, type)).length > 0) return undefined;
  }
  return { status: "5.1.8", text: "domain not found" };
}

function refusal(text: string): Ruling {
  return { kind: "refuse", why: text, reply: replyFromText(text) };
}

async function clientText(client: Caller): Promise<string> {
  const name = await nameOf(client, () => {}) ?? NO_NAME;
  return `${name === NO_NAME ? "unknown" : name} [${client.address ?? "unknown"}]`;
}
