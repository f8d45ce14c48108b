// The restriction before all others: it refuses an address that servers may read in more than one way.
//
// Postfix reads `< bob@example.org>`, `<bob(c)@example.org>` and many more as bob@example.org. A rule about
// bob@example.org would not match them. So an address must be a mailbox (RFC 5321 s.4.1.2), as with Postfix's
// strict_rfc821_envelopes. Common and clear exceptions pass, see `isUnmistakable`. The null sender is valid, and so is
// the recipient `<postmaster>` (s.4.1.1.3). The server behind us adds a domain to any other address without one.

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
