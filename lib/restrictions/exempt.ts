// A restriction that exempts some clients.

import type { Network } from "../text/ip.ts";
import { isInAny } from "../text/network.ts";
import type { Envelope } from "../mail/envelope.ts";
import type { Restriction, Ruling } from "./restriction.ts";

/** Allows everything to clients that XFORWARD says are in `networks`. Asks `restriction` about others. */
export function exempting(restriction: Restriction, networks: readonly Network[]): Restriction {
  const unlessExempt = async ({ client }: Envelope, rule: () => Promise<Ruling> | undefined): Promise<Ruling> =>
    (isInAny(networks, client.address) ? undefined : await rule()) ?? { kind: "allow" };
  return {
    name: restriction.name,
    sender: (envelope, context) => unlessExempt(envelope, () => restriction.sender?.(envelope, context)),
    recipient: (recipient, envelope, context) =>
      unlessExempt(envelope, () => restriction.recipient?.(recipient, envelope, context)),
  };
}
