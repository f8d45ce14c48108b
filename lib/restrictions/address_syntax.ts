// The restriction before all others: an address that servers may read in more than one way is refused.
//
// Postfix takes `< bob@example.org>`, `<bob(c)@example.org>` and many more for bob@example.org, and a rule about that
// would not match them. So an address has to be a mailbox (RFC 5321 s.4.1.2), as Postfix's strict_rfc821_envelopes has it;
// what is met every day and leaves no doubt is let through, see `isUnmistakable`. The null sender is right, and so is the
// recipient `<postmaster>` (s.4.1.1.3); any other address without a domain gets one from the server behind us.

import { isUnmistakable } from "../smtp/mailbox.ts";
import { formatReply } from "../smtp/reply.ts";
import type { Refusal, Restriction, Ruling } from "./restriction.ts";

export const addressSyntax: Restriction = {
  name: "address",
  sender: async ({ sender }) => sender === "" || isUnmistakable(sender ?? "") ? ALLOW : BAD_SENDER,
  recipient: async (recipient) =>
    isUnmistakable(recipient) || recipient.toLowerCase() === "postmaster" ? ALLOW : BAD_RECIPIENT,
};

const ALLOW: Ruling = { kind: "allow" };
const BAD_SENDER = refusal("501 5.1.7 Bad sender address syntax");
const BAD_RECIPIENT = refusal("501 5.1.3 Bad recipient address syntax");

function refusal(text: string): Refusal {
  return { kind: "refuse", why: "no valid mailbox", reply: formatReply(text) };
}
